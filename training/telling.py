"""Tells how far an attempt is, how quickly it goes, what it takes of its machine, how long yet."""

import time
from contextlib import AbstractContextManager
from typing import Any

from jobs.reporter import Reporter
from training.gauge import Gauge
from training.messages import Message
from training.models import TrainingRun
from training.pace import Pace

#: Where in an epoch a phase begins, and how much of it the phase takes, for the progress bar.
_SHARES = {"train": (0.0, 0.9), "validate": (0.9, 0.1)}
_ON_PROCESSOR = "CPU"


class Teller:
    """What the supervisor of an attempt says while its trainer works.

    Args:
        used: seconds that earlier attempts have trained.
        typical: those of one of their epochs.
    """

    def __init__(
        self, run: TrainingRun, reporter: Reporter, *, used: float = 0.0, typical: float = 0.0
    ) -> None:
        options = run.options
        self._run = run
        self._reporter = reporter
        self._epochs = int(options["epochs"])
        self._patience = int(options.get("patience") or 0)
        self._limit = 3600 * float(options.get("time_limit") or 0)
        self._used, self._typical = used, typical
        self._gauge: Gauge | None = None
        #: The last that was heard, where the run comes to its end.
        self._at_end: Message | None = None
        mosaics = float(options.get("mosaic") or 0) and int(options.get("close_mosaic") or 0)
        self.pace = Pace(
            epochs=self._epochs,
            mosaics_until=self._epochs - int(mosaics),
            clock=time.monotonic,
        )

    def watching(self, pid: int) -> AbstractContextManager[Gauge]:
        """Read what a trainer takes, from now to the end of the context."""
        self._gauge, self._at_end = Gauge(pid), None
        return self._gauge

    def started(self, device: str) -> None:
        """Hear that the first epoch begins, and on what."""
        self.pace.begin()
        if self._gauge is not None and device != _ON_PROCESSOR:
            self._gauge.watch_gpu()

    def progress(self, message: Message, *, is_last: bool) -> None:
        """Pass on how far the trainer is.

        Args:
            is_last: whether the run ends with the epoch in hand.
        """
        done, total, epoch = message["done"], message["total"], message["epoch"]
        phase, part = message["phase"], done / total if total else 0.0
        self._at_end = message if phase == "finish" else None
        start, width = _SHARES.get(phase, (0.0, 0.0))
        # Before the first epoch and after the last one, the number is of an epoch that is whole.
        is_within = phase in _SHARES
        finished = max(epoch - 1, 0) if is_within else epoch
        self._reporter.progress(
            phase,
            finished,
            self._epochs,
            percent=self.percent(finished + start + width * part),
            eta_seconds=self._left(phase, finished, part, is_last),
            eta_is_most=is_within and self._may_end_sooner(is_last),
            epoch=epoch,
            batch=done,
            batches=total,
            images_per_second=message.get("images_per_second"),
            **self._machine(),
        )

    def epoch(self, message: Message) -> None:
        """Note an epoch that has ended, and what the machine did meanwhile."""
        # By the clock of the wall: a GPU costs also while it waits for the storage.
        self._used += self.pace.end(
            int(message["epoch"]),
            seconds=float(message["seconds"]),
            waited=float(message.get("waited_seconds") or 0),
            validated=float(message.get("validated_seconds") or 0),
        )
        message["machine"] = self._gauge.means() if self._gauge is not None else {}

    def committed(self, message: Message, *, is_last: bool) -> None:
        """Say that an epoch is whole."""
        number = int(message["epoch"])
        if is_last or number == self._epochs:
            self._at_end = {**message, "phase": "finish", "done": 0, "total": 0}
        self._reporter.progress(
            "train",
            number,
            self._epochs,
            percent=self.percent(number),
            eta_seconds=self._left("finish" if is_last else "train", number, 0.0, is_last=False),
            eta_is_most=self._may_end_sooner(is_last),
            epoch=number,
            images_per_second=message["images_per_second"],
            **self._machine(),
        )

    def count_down(self) -> None:
        """Tell the time that is left while the trainer says nothing: at its end it has long tasks.

        It measures the best model, draws curves and writes files.
        """
        if self._at_end is not None:
            self.progress(self._at_end, is_last=True)

    def percent(self, epochs_done: float) -> float:
        """Return how much of the run is done."""
        return 100 * epochs_done / self._epochs

    def is_time_up(self) -> bool:
        """Whether the epoch in hand is the last that ends within the time that the run may take."""
        epoch = self.pace.typical or self._typical
        return bool(self._limit and self._used + 2 * epoch > self._limit)

    def _left(self, phase: str, finished: int, part: float, is_last: bool) -> float | None:
        if phase not in _SHARES:
            return self.pace.left_of_finish() if phase == "finish" else None
        done = {"trained": part} if phase == "train" else {"trained": 1.0, "validated": part}
        left = self.pace.left(finished, is_last=is_last, **done)
        if left is None or not self._limit:
            return left
        return min(left, max(self._limit - self._used, 0.0))

    def _may_end_sooner(self, is_last: bool) -> bool:
        best = int((self._run.best or {}).get("epoch") or 0)
        out_of_patience = bool(self._patience) and best + self._patience < self._epochs
        return not is_last and (out_of_patience or bool(self._limit))

    def _machine(self) -> dict[str, Any]:
        return dict(self._gauge.now) if self._gauge is not None else {}
