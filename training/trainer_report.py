"""What the training library's events become: messages for the supervisor."""

import math
import time
from pathlib import Path
from typing import Any

from training.messages import CheckpointFile, Epoch, Facts, Phase, Progress, Started
from training.trainer_checkpoints import CheckpointFolder
from training.trainer_clock import EpochClock
from training.trainer_failures import Left
from training.trainer_link import Link
from training.trainer_log import LogSink
from training.trainer_machine import forget_peak, peak_memory_mb
from training.trainer_watched import WatchedPictures
from training.unstored import Unstored

_SECONDS_BETWEEN = 0.5
_WAIT_SECONDS = 0.1
_VALIDATION = {
    "metrics/precision(B)": "precision",
    "metrics/recall(B)": "recall",
    "metrics/mAP50(B)": "map50",
    "metrics/mAP50-95(B)": "map50_95",
}


class Reporter:
    """Listens to one training and says what happens; here stop and drain take effect.

    Args:
        best_epoch: of the attempts before this one, 0 if there were none.
        seed: of the run, decides which validation pictures are shown.
        unstored_seconds: of training that may be lost with this host, or one epoch.

    Attributes:
        device: its name for people; set, as `facts` is, before the training begins.
        facts: what the training runs on.
    """

    facts: Facts

    def __init__(
        self,
        link: Link,
        log: LogSink,
        checkpoints: CheckpointFolder,
        *,
        epoch: int = 0,
        best_epoch: int = 0,
        seed: int = 0,
        unstored_seconds: float,
    ) -> None:
        self._link = link
        self._log = log
        self._checkpoints = checkpoints
        self._said = 0.0
        self._phase: Phase = "prepare"
        self._batches = self._total = self._batch = self._images = 0
        self._clock = EpochClock()
        self._copies: tuple[CheckpointFile | None, CheckpointFile | None] = (None, None)
        self.device = ""
        self.epoch = epoch
        self.best_epoch = best_epoch
        self.watched = WatchedPictures(seed)
        self._unstored = Unstored(unstored_seconds)

    def listeners(self) -> dict[str, Any]:
        """Return the functions to call, by the library's names of its events."""
        return {
            "on_pretrain_routine_end": self._check,
            "on_train_start": self._start,
            "on_train_epoch_start": self._epoch_start,
            "on_train_batch_start": self._batch_start,
            "on_train_batch_end": self._batch_end,
            "on_train_epoch_end": self._epoch_trained,
            "on_val_start": self._validation_start,
            "on_val_batch_end": self._batch_end,
            "on_val_end": self._validation_end,
            "on_model_save": self._save,
            "on_fit_epoch_end": self._epoch_end,
        }

    def bar_moved(self, done: int, total: int) -> None:
        """Take the state of a progress bar: before the first epoch, it is the scan of the data."""
        if self._phase == "prepare":
            self._progress(done, total, is_timed=False)

    def _start(self, trainer: Any) -> None:
        rate = float(trainer.args.lr0)
        message = Started(
            **self.facts,
            type="started",
            device=self.device,
            batch=int(trainer.batch_size),
            imgsz=int(trainer.args.imgsz),
            images={
                "train": len(trainer.train_loader.dataset),
                "val": len(trainer.test_loader.dataset),
            },
            epochs=int(trainer.epochs),
            start_epoch=int(trainer.start_epoch) + 1,
            parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
            optimizer=type(trainer.optimizer).__name__,
            lr0=rate,
            final_lr=rate * float(trainer.args.lrf),
            amp=bool(trainer.amp),
        )
        self._link.send(message)

    def _epoch_start(self, trainer: Any) -> None:
        # Automatic batches were probed before, or one that did not fit was tried.
        forget_peak(trainer.device)
        self._clock.epoch_began()
        self._phase = "train"
        self._pass_over(trainer.train_loader, int(trainer.batch_size))

    def _pass_over(self, loader: Any, batch: int) -> None:
        self._batches, self._total = 0, len(loader)
        self._batch, self._images = batch, len(loader.dataset)

    def _batch_start(self, _trainer: Any) -> None:
        self._clock.batch_came()

    def _batch_end(self, owner: Any) -> None:
        self._check(owner)
        self._batches += 1
        self._clock.batch_ended(min(self._batches * self._batch, self._images))
        self._progress(self._batches, self._total)

    def _epoch_trained(self, trainer: Any) -> None:
        self._clock.training_ended()
        self._stop_if_asked(trainer)

    def _validation_start(self, validator: Any) -> None:
        self._phase = "finish" if not validator.training else "validate"
        self._clock.validation_began()
        self._pass_over(validator.dataloader, int(validator.dataloader.batch_size))

    def _validation_end(self, _validator: Any) -> None:
        self._clock.validation_ended()

    def _save(self, trainer: Any) -> None:
        is_best = bool(trainer.best_fitness == trainer.fitness)
        epoch = int(trainer.epoch) + 1
        self._copies = self._checkpoints.commit(epoch, Path(trainer.last), is_best=is_best)

    def _epoch_end(self, trainer: Any) -> None:
        if trainer.is_finishing:  # fires once more after the end, for the best model
            return
        message = self._epoch_message(trainer)
        self.epoch = message["epoch"]
        if message["is_best"]:
            self.best_epoch = self.epoch
        self._log.flush()
        self._log.add("info", _summary(message, int(trainer.epochs)))
        self._link.send(message)
        self._copies = (None, None)
        self._stop_if_asked(trainer)
        self._unstored.add(message["epoch"], message["seconds"])
        self._wait_for_storage(trainer)

    def _wait_for_storage(self, trainer: Any) -> None:
        """Train no further while too much would be lost with this host; see docs/faults.md."""
        while self._unstored.is_too_much(self._link.committed) and not trainer.stop:
            self._check(trainer)
            self._stop_if_asked(trainer)
            self._phase = "train"
            self._progress(0, len(trainer.train_loader), is_timed=False)
            time.sleep(_WAIT_SECONDS)

    def _epoch_message(self, trainer: Any) -> Epoch:
        losses = trainer.label_loss_items(trainer.tloss)
        images = len(trainer.train_loader.dataset)
        checkpoint, best = self._copies
        epoch, seconds = int(trainer.epoch) + 1, round(self._clock.seconds, 3)
        return Epoch(
            type="epoch",
            epoch=epoch,
            train={name.removeprefix("train/"): _number(value) for name, value in losses.items()},
            val=validation_metrics(trainer.metrics),
            # Warm-up lifts the bias above, and Muon a few heads: the lowest is the one set.
            lr=_number(min(trainer.lr.values())),
            seconds=seconds,
            waited_seconds=round(self._clock.waited, 3),
            validated_seconds=round(self._clock.validated, 3),
            images_per_second=round(images / max(self._clock.trained, 1e-6), 2),
            gpu_memory_mb=peak_memory_mb(trainer.device),
            batch=int(trainer.batch_size),
            fitness=_number(trainer.fitness),
            is_best=bool(trainer.best_fitness == trainer.fitness),
            checkpoint=checkpoint,
            best_checkpoint=best,
            pictures=self.watched.take(epoch, seconds),
        )

    def _stop_if_asked(self, trainer: Any) -> None:
        if self._link.stop_requested.is_set():
            trainer.stop = True

    def _check(self, _owner: Any) -> None:
        if self._link.drain_requested.is_set():
            raise Left

    def _progress(self, done: int, total: int, *, is_timed: bool = True) -> None:
        now = time.monotonic()
        if now - self._said < _SECONDS_BETWEEN:
            return
        self._said = now
        epoch = self.epoch + 1 if self._phase in {"train", "validate"} else self.epoch
        message = Progress(
            type="progress",
            phase=self._phase,
            epoch=epoch,
            done=done,
            total=total,
            images_per_second=self._clock.images_per_second() if is_timed else None,
        )
        self._link.send(message)


def validation_metrics(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Return the library's metrics of the validation set under our names, losses among them."""
    found: dict[str, float | None] = {}
    for name, value in metrics.items():
        short = _VALIDATION.get(name) or name.removeprefix("val/")
        if "/" not in short and short != "fitness":
            found[short] = _number(value)
    return found


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _summary(message: Epoch, epochs: int) -> str:
    """Return the line of the log that says how an epoch went."""
    parts = [f"Epoch {message['epoch']}/{epochs}"]
    parts += [f"{name} {_short(value)}" for name, value in message["train"].items()]
    names = {"map50": "mAP50", "map50_95": "mAP50-95"}
    parts += [f"{text} {_short(message['val'].get(name))}" for name, text in names.items()]
    parts.append(f"{message['seconds']:.1f} s")
    return " · ".join(parts) + (" · best so far" if message["is_best"] else "")


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
