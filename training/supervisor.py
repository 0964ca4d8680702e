"""Owns one attempt of a training: prepares it, listens to the trainer, commits each epoch.

It holds the database, storage and the lease; the trainer holds none of them. Whatever happens to
either, the last committed epoch stands, and the next attempt goes on from it.
"""

import logging
import shutil
import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from datasets.materialize import materialize
from jobs.errors import Interrupted, UserError
from jobs.patience import persist
from jobs.reporter import Reporter
from jobs.runner import Commit
from jobs.work_folder import work_folder
from training import checkpoints, epochs, pretrained, results
from training.base_models import BASE_MODELS
from training.messages import Data, Message, Resume, Spec
from training.models import Checkpoint, TrainingRun
from training.options import to_train_arguments
from training.process import TrainerGone, TrainerProcess, open_trainer
from training.storing import patiently

log = logging.getLogger(__name__)

_LISTEN_SECONDS = 0.5
#: A trainer that shows no progress for so long hangs; slow epochs get more.
_SILENCE_SECONDS = 600.0
_SILENCE_EPOCHS = 5
#: Where in an epoch a phase begins, and how much of it the phase takes, for the progress bar.
_SHARES = {"train": (0.0, 0.9), "validate": (0.9, 0.1)}
#: What the trainer calls its failures, where ours have another name.
_FAILURES = {
    "weights_unreadable": "weights_unreadable",
    "data_error": "data_error",
    "out_of_memory": "out_of_memory",
    "shared_memory_full": "host_out_of_memory",
    "disk_full": "disk_full",
    "diverged": "diverged",
    "unsupported_device": "unsupported_device",
    "host_out_of_memory": "host_out_of_memory",
}


def train(run: TrainingRun, reporter: Reporter) -> Commit:
    """Do one attempt of a run.

    Returns:
        The write that registers the best model, for the transaction that says SUCCEEDED.

    Raises:
        UserError: the run cannot go on; the code says why.
        Interrupted: the trainer vanished; the run goes back to the queue.
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
        self.epoch_seconds: list[float] = []
        self.seconds = persist(lambda: epochs.seconds_of(run))
        self.epoch_began = time.monotonic()
        self.heard_at = time.monotonic()
        self.is_stop_sent = False

    def perform(self) -> Commit:
        """Go on from the newest checkpoint that can be read, or begin."""
        done = self.run.epoch
        self.reporter.progress("prepare", done, self._epochs, percent=self._percent(done))
        names = patiently(self._materialize, self.reporter.raise_if_cancelled)
        for resume in self._starts():
            try:
                last_word = self._train(names, resume)
            except _CheckpointUnreadable:
                self.reporter.log(
                    _("This checkpoint cannot be read; trying the one before."), "warning"
                )
                continue
            return results.prepare(self.run, last_word, self.reporter.raise_if_cancelled)
        raise UserError("checkpoint_unreadable")

    @property
    def _epochs(self) -> int:
        return int(self.run.options["epochs"])

    def _materialize(self) -> list[str]:
        version = self.run.dataset_version
        self.reporter.log(_("Preparing %(count)d pictures.") % {"count": version.images_total})
        return materialize(version, self.folder / "data", on_chunk=self._laid_out)

    def _laid_out(self, pictures: int) -> None:
        self.reporter.raise_if_cancelled()
        version, done = self.run.dataset_version, self.run.epoch
        self.reporter.progress(
            "prepare",
            done,
            self._epochs,
            percent=self._percent(done),
            batch=pictures,
            batches=version.train_images + version.val_images,
        )

    def _starts(self) -> Iterator[Resume | None]:
        """Yield where to begin: each stored checkpoint from the newest, or nothing at all."""
        found = False
        for last in checkpoints.candidates(self.run):
            found = True
            target = self.folder / f"resume-{last.epoch}.pt"
            if self._fetch(last, target):
                message = _("Going on after epoch %(epoch)d (attempt %(attempt)d).")
                self.reporter.log(message % {"epoch": last.epoch, "attempt": self.run.attempt})
                yield Resume(
                    last=str(target),
                    best=self._fetch_best(last),
                    epoch=last.epoch,
                    finalise=self.run.stop_requested_at is not None or self._is_time_up(),
                )
        if not found:
            yield None

    def _fetch_best(self, last: Checkpoint) -> str | None:
        best = checkpoints.best_until(self.run, last.epoch)
        target = self.folder / "resume-best.pt"
        return str(target) if best is not None and self._fetch(best, target) else None

    def _fetch(self, checkpoint: Checkpoint, target: Path) -> bool:
        step = partial(checkpoints.fetch, checkpoint, target)
        return patiently(step, self.reporter.raise_if_cancelled)

    def _spec(self, names: list[str], resume: Resume | None) -> Spec:
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        return Spec(
            data=Data(root=str(self.folder / "data"), names=names),
            base_model=self._base_model(),
            # A checkpoint holds all; what the run once started from may be gone.
            weights=None if resume else self._weights(),
            options=to_train_arguments(self.run.options),
            work_dir=str(work),
            resume=resume,
            loader_workers=settings.TRAINING_LOADER_WORKERS,
        )

    def _base_model(self) -> str:
        """Return the name for the trainer; a start from scratch is told by it."""
        # The start model may have been deleted since the run was claimed.
        persist(lambda: self.run.refresh_from_db(fields=["start_model"]))
        is_named = self.run.start_model is None and self.run.base_model in BASE_MODELS
        return self.run.base_model if is_named else self.run.architecture

    def _weights(self) -> str | None:
        """Return the pretrained weights to start from, or None for a start from scratch."""
        if self.run.start_model is not None:
            target = self.folder / "start.pt"
            fetch = partial(results.fetch_model, self.run.start_model, target)
            if not patiently(fetch, self.reporter.raise_if_cancelled):
                raise UserError("weights_unreadable")
            return str(target)
        if BASE_MODELS[self.run.base_model].is_scratch:
            return None
        check = self.reporter.raise_if_cancelled
        target = self.folder / "start.pt"
        step = partial(pretrained.provide, self.run.base_model, target, check=check)
        return str(patiently(step, check))

    def _train(self, names: list[str], resume: Resume | None) -> Message:
        spec = self._spec(names, resume)
        self.reporter.log(_("Starting the trainer."))
        with open_trainer(config_dir=Path(settings.WORK_DIR) / "trainer") as trainer:
            trainer.start(spec)
            self.heard_at = self.epoch_began = time.monotonic()
            return self._listen(trainer)

    def _listen(self, trainer: TrainerProcess) -> Message:
        while True:
            self.reporter.raise_if_cancelled()
            self._pass_on_stop(trainer)
            try:
                message = trainer.receive(_LISTEN_SECONDS)
            except TrainerGone:
                self.reporter.log(_("The trainer ended unexpectedly."), "error")
                raise Interrupted("trainer_crashed") from None
            if message is None:
                self._check_silence()
            elif message["type"] == "done":
                return message
            else:
                self._hear(message)

    def _pass_on_stop(self, trainer: TrainerProcess) -> None:
        is_wished = self.reporter.stop.is_set() or self.run.stop_requested_at is not None
        if self.is_stop_sent or not (is_wished or self._is_time_up()):
            return
        self.is_stop_sent = True
        if not is_wished:
            self.reporter.log(_("The time limit would be over before another epoch is."))
        self.reporter.log(_("Stopping after this epoch; the best model is kept."))
        trainer.send({"type": "stop"})

    def _is_time_up(self) -> bool:
        """Whether the epoch in hand is the last that ends within the time that the run may take."""
        limit = 3600 * float(self.run.options.get("time_limit") or 0)
        return bool(limit and self.seconds + 2 * self._typical_seconds > limit)

    @property
    def _typical_seconds(self) -> float:
        return statistics.median(self.epoch_seconds[-5:]) if self.epoch_seconds else 0.0

    def _hear(self, message: Message) -> None:
        match message["type"]:
            case "log":
                self.reporter.log(str(message["text"]), str(message["level"]))
                return
            case "started":
                self._started(message)
            case "progress":
                self._progress(message)
            case "epoch":
                self._epoch(message)
            case "failed":
                self._fail(message)
        self.heard_at = time.monotonic()

    def _started(self, message: Message) -> None:
        text = _("Training on %(device)s, batch %(batch)d, optimizer %(optimizer)s.")
        self.reporter.log(text % message)
        persist(lambda: epochs.record_start(self.run, message))
        self.epoch_began = time.monotonic()

    def _progress(self, message: Message) -> None:
        done, total, epoch = message["done"], message["total"], message["epoch"]
        start, width = _SHARES.get(message["phase"], (0.0, 0.0))
        share = start + (width * done / total if total else 0.0)
        # Before the first epoch and after the last one, the number is of an epoch that is whole.
        is_within = message["phase"] in _SHARES
        finished = max(epoch - 1, 0) if is_within else epoch
        self.reporter.progress(
            message["phase"],
            finished,
            self._epochs,
            percent=self._percent(finished + share),
            eta_seconds=self._eta(finished) if is_within else None,
            epoch=epoch,
            batch=done,
            batches=total,
        )

    def _percent(self, epochs_done: float) -> float:
        return 100 * epochs_done / self._epochs

    def _eta(self, finished: int) -> float | None:
        """Return the seconds left by the median of the last epochs, validation included."""
        if not self.epoch_seconds:
            return None
        typical = self._typical_seconds
        spent = time.monotonic() - self.epoch_began
        left = self._epochs - finished
        if self.is_stop_sent:
            left = min(left, 1)  # the epoch in hand
        return max(typical * left - spent, 0.0)

    def _epoch(self, message: Message) -> None:
        now = time.monotonic()
        self.epoch_seconds.append(now - self.epoch_began)
        self.epoch_began = now
        self.seconds += float(message["seconds"])
        persist(self.reporter.flush)
        epochs.commit(self.run, message, self.reporter.raise_if_cancelled)
        number = int(message["epoch"])
        self.reporter.progress(
            "train",
            number,
            self._epochs,
            percent=self._percent(number),
            eta_seconds=None if self.is_stop_sent else self._eta(number),
            epoch=number,
        )

    def _check_silence(self) -> None:
        typical = statistics.median(self.epoch_seconds) if self.epoch_seconds else 0.0
        if time.monotonic() - self.heard_at > max(_SILENCE_SECONDS, _SILENCE_EPOCHS * typical):
            self.reporter.log(
                _("The trainer shows no progress any more; it is restarted."), "error"
            )
            raise Interrupted("trainer_crashed")

    def _fail(self, message: Message) -> None:
        code, detail = str(message["code"]), str(message["detail"])
        self.reporter.log(detail, "error")
        if code in {"checkpoint_unreadable", "checkpoint_mismatch"}:
            raise _CheckpointUnreadable
        if code == "device_failed":
            raise Interrupted("trainer_crashed")
        raise UserError(_FAILURES.get(code, "trainer_failed"), detail=detail[:300])


class _CheckpointUnreadable(Exception):
    """The trainer refused the checkpoint that it was to go on from."""
