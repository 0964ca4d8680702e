"""Owns one attempt of a training: prepares it, listens to the trainer, commits each epoch.

It holds the database, storage and the lease; the trainer holds none of them. Whatever happens to
either, the last committed epoch stands, and the next attempt goes on from it.
"""

import logging
import shutil
import time
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from jobs.errors import CancelRequested, Drained, Interrupted, Paused, UserError
from jobs.patience import persist
from jobs.reporter import Reporter
from jobs.runner import Commit
from jobs.work_folder import work_folder
from training import cards, epochs, recovery, results
from training.committing import Committer
from training.data_layout import lay_out
from training.ending import stop_reason
from training.messages import Data, Message, Resume, Spec
from training.models import TrainingRun
from training.options import to_train_arguments
from training.picture_cache import PictureCache
from training.process import TrainerGone, TrainerProcess, open_trainer
from training.quarantine import quarantine
from training.recovery import CheckpointUnreadable, MemoryShort
from training.resuming import batch_in_use
from training.starting import Start
from training.storing import patiently
from training.telling import Teller
from training.unstored import Unstored

log = logging.getLogger(__name__)

_LISTEN_SECONDS = 0.5
#: A trainer that shows no progress for so long hangs; slow epochs get more.
_SILENCE_SECONDS = 600.0
_SILENCE_EPOCHS = 5
#: Without a word from the database for so long, another worker has the run: the GPU is freed.
_ALONE_SECONDS = 1800.0
#: Whoever leaves waits so long for the epoch that is just being stored.
_LEAVE_SECONDS = 15.0


def train(run: TrainingRun, reporter: Reporter) -> Commit:
    """Do one attempt of a run.

    Returns:
        The write that registers the best model, for the transaction that says SUCCEEDED.

    Raises:
        UserError: the run cannot go on; the code says why.
        Interrupted: the trainer vanished, or its host failed; the run goes back to the queue.
        JobSignal: somebody canceled, the worker leaves, or another attempt owns the run.
    """
    with work_folder(run) as folder:
        return _Attempt(run, reporter, folder).perform()


class _Attempt:
    """One trainer from its start to its last word."""

    def __init__(self, run: TrainingRun, reporter: Reporter, folder: Path) -> None:
        self.run = run
        self.reporter = reporter
        self.folder = folder
        self.teller = Teller(run, reporter, **persist(lambda: epochs.seconds_of(run)))
        self.heard_at = time.monotonic()
        self.is_stop_sent = False
        #: The last epoch of which the trainer knows that it is stored.
        self.said_committed = 0
        self.has_told_of_waiting = False
        self.unstored = Unstored(settings.TRAINING_UNSTORED_SECONDS)
        #: Whether it is its time that ends the run, and no person.
        self.is_time_up = False
        self.committer = Committer(run, reporter)
        self.start = Start(run, reporter, folder)

    def perform(self) -> Commit:
        """Go on from the newest checkpoint that can be read, or begin."""
        try:
            last_word = self._work()
        except Interrupted as cut:
            if cut.reason in recovery.FAULTS_OF_HOST:
                quarantine(cut.reason)
                self.reporter.log(recovery.elsewhere(cut.reason), "error")
            raise
        reason = stop_reason(last_word, is_time_up=self.is_time_up)
        check = self.reporter.raise_if_cancelled
        return results.prepare(self.run, last_word, check, reason=reason)

    def _work(self) -> Message:
        done = self.run.epoch
        self.reporter.progress("prepare", done, self._epochs, percent=self.teller.percent(done))
        names = patiently(self._materialize, self.reporter.raise_if_cancelled)
        with self.committer:
            try:
                return self._train_until_done(names)
            except (Drained, CancelRequested) as leave:
                # The trainer is gone by now; what it has finished is worth a moment.
                self.committer.settle(_LEAVE_SECONDS)
                if isinstance(leave, Paused):
                    self.reporter.log(_("Paused; what is committed is kept."))
                raise

    def _train_until_done(self, names: list[str]) -> Message:
        """Train; where memory runs out, once more with half of the batch."""
        while True:
            try:
                return self._train_from_newest(names)
            except MemoryShort as short:
                if not recovery.shrink(self.run, short, loader_workers=self._loader_workers):
                    raise UserError(short.code, batch=short.batch) from short
                told = recovery.smaller(self.run, short, loader_workers=self._loader_workers)
                self.reporter.log(told, "warning")

    def _train_from_newest(self, names: list[str]) -> Message:
        for resume in self.start.checkpoints(finalise=self._is_to_end()):
            try:
                return self._train(names, resume)
            except CheckpointUnreadable:
                self.reporter.log(
                    _("This checkpoint cannot be read; trying the one before."), "warning"
                )
        raise UserError("checkpoint_unreadable")

    @property
    def _epochs(self) -> int:
        return int(self.run.options["epochs"])

    @property
    def _loader_workers(self) -> int:
        return int(self.run.adjusted.get("loader_workers", settings.TRAINING_LOADER_WORKERS))

    def _materialize(self) -> list[str]:
        version = self.run.dataset_version
        self.reporter.log(_("Preparing %(count)d pictures.") % {"count": version.images_total})
        layout = lay_out(
            version,
            self.folder / "data",
            PictureCache(Path(settings.PICTURE_CACHE_DIR), settings.PICTURE_CACHE_BYTES),
            size=int(self.run.used_options["imgsz"]),
            check=self.reporter.raise_if_cancelled,
            on_progress=self._laid_out,
        )
        text = _("%(made)d pictures were brought to training size, %(found)d were so already.")
        self.reporter.log(text % {"made": layout.made, "found": layout.found})
        return layout.names

    def _laid_out(self, pictures: int) -> None:
        self.reporter.raise_if_cancelled()
        version, done = self.run.dataset_version, self.run.epoch
        self.reporter.progress(
            "prepare_pictures",
            done,
            self._epochs,
            percent=self.teller.percent(done),
            batch=pictures,
            batches=version.train_images + version.val_images,
        )

    def _spec(self, names: list[str], resume: Resume | None) -> Spec:
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        return Spec(
            data=Data(root=str(self.folder / "data"), names=names),
            base_model=self.start.base_model(),
            # A checkpoint holds all; what the run once started from may be gone.
            weights=None if resume else self.start.weights(),
            options=to_train_arguments(self.run.used_options),
            work_dir=str(work),
            device=cards.device(),
            resume=resume,
            loader_workers=self._loader_workers,
            weights_name=self.start.weights_name(),
            unstored_seconds=settings.TRAINING_UNSTORED_SECONDS,
        )

    def _train(self, names: list[str], resume: Resume | None) -> Message:
        spec = self._spec(names, resume)
        self.reporter.log(_("Starting the trainer."))
        with open_trainer(config_dir=Path(settings.WORK_DIR) / "trainer") as trainer:
            trainer.start(spec)
            self.heard_at = time.monotonic()
            self.is_stop_sent = False
            self.said_committed = 0
            # What came after the checkpoint that it goes on from has to be brought again.
            self.committer.committed = resume.epoch if resume else 0
            self.unstored = Unstored(settings.TRAINING_UNSTORED_SECONDS)
            with self.teller.watching(trainer.pid):
                return self._listen(trainer)

    def _listen(self, trainer: TrainerProcess) -> Message:
        while True:
            self._check()
            self._pass_on_stop(trainer)
            self._say_what_is_committed(trainer)
            try:
                message = trainer.receive(_LISTEN_SECONDS)
            except TrainerGone:
                raise self._gone(trainer) from None
            if message is not None and message["type"] == "done":
                self.committer.finish(self._check)
                return message
            if message is None:
                self.teller.count_down()
            else:
                self._hear(message)
            # Lines alone are no progress: what hangs may still write them.
            self._check_silence()

    def _check(self) -> None:
        """Leave where nobody wants this attempt any more, or nobody can be asked."""
        self.reporter.raise_if_cancelled()
        self.committer.raise_if_failed()
        if time.monotonic() - self.reporter.in_touch_at > _ALONE_SECONDS:
            raise Interrupted("database_away")

    def _gone(self, trainer: TrainerProcess) -> Exception:
        """Return what the death of the trainer means, once its last epochs are committed."""
        self.reporter.log(_("The trainer ended unexpectedly."), "error")
        was_for_memory = trainer.may_have_been_killed_for_memory
        self.committer.finish(self._check)
        if was_for_memory:
            return MemoryShort("host_out_of_memory", batch_in_use(self.run))
        return Interrupted("trainer_crashed")

    @property
    def _is_stop_wished(self) -> bool:
        return self.reporter.stop.is_set() or self.run.stop_requested_at is not None

    def _is_to_end(self) -> bool:
        """Whether the run ends with the epoch in hand; of two reasons, the first one counts."""
        if not self._is_stop_wished and self.teller.is_time_up():
            self.is_time_up = True
        return self.is_time_up or self._is_stop_wished

    def _pass_on_stop(self, trainer: TrainerProcess) -> None:
        if self.is_stop_sent or not self._is_to_end():
            return
        self.is_stop_sent = True
        if self.is_time_up:
            self.reporter.log(_("The time limit would be over before another epoch is."))
        self.reporter.log(_("Stopping after this epoch; the best model is kept."))
        trainer.send({"type": "stop"})

    def _say_what_is_committed(self, trainer: TrainerProcess) -> None:
        """Let the trainer know: it waits where too much would be lost with this host."""
        if self.committer.committed > self.said_committed:
            self.said_committed = self.committer.committed
            trainer.send({"type": "committed", "epoch": self.said_committed})

    def _hear(self, message: Message) -> None:
        match message["type"]:
            case "log":
                self.reporter.log(str(message["text"]), str(message["level"]))
                return
            case "started":
                self._started(message)
            case "progress":
                self.teller.progress(message, is_last=self.is_stop_sent)
            case "epoch":
                self._epoch(message)
            case "failed":
                self._fail(message)
        self.heard_at = time.monotonic()

    def _started(self, message: Message) -> None:
        text = _("Training on %(device)s, batch %(batch)d, optimizer %(optimizer)s.")
        self.reporter.log(text % message)
        persist(lambda: epochs.record_start(self.run, message))
        self.teller.started(str(message["device"]))

    def _epoch(self, message: Message) -> None:
        self.teller.epoch(message)
        self.committer.add(message)
        self.teller.committed(message, is_last=self.is_stop_sent)
        self._tell_of_waiting(message)

    def _tell_of_waiting(self, message: Message) -> None:
        """Say once that the trainer, which goes by the same rule, has to wait for storage."""
        self.unstored.add(int(message["epoch"]), float(message["seconds"]))
        is_last = self.is_stop_sent or message["epoch"] == self._epochs
        if is_last or self.has_told_of_waiting:
            return
        if self.unstored.is_too_much(self.committer.committed):
            self.has_told_of_waiting = True
            text = _("Storing takes longer than training: the trainer waits for it now and then.")
            self.reporter.log(text, "warning")

    def _check_silence(self) -> None:
        patience = max(_SILENCE_SECONDS, _SILENCE_EPOCHS * self.teller.pace.typical)
        if time.monotonic() - self.heard_at > patience:
            self.reporter.log(
                _("The trainer shows no progress any more; it is restarted."), "error"
            )
            self.committer.finish(self._check)
            raise Interrupted("trainer_hung")

    def _fail(self, message: Message) -> None:
        self.reporter.log(str(message["detail"]), "error")
        self.committer.finish(self._check)
        raise recovery.judge(self.run, message)
