"""What the work may tell while it runs: progress and log lines, batched, throttled, fenced."""

import math
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone

from jobs import transitions
from jobs.errors import CancelRequested, Drained, LeaseLost, Paused
from jobs.frames import Frame, plain
from jobs.log_lines import LineGate, clean_lines
from jobs.models import Job, JobEvent

#: Between two writes of what the work told; the first line after a silence goes out at once.
FLUSH_SECONDS = 0.5
#: Seen at least once a second, with what the write itself takes.
_PROGRESS_SECONDS = 0.45
_BATCH = 500


class Reporter:
    """Handed to the work; safe to call from several threads.

    `log` and `progress` only remember: the keeper of the lease writes, so that neither a slow
    database nor a transaction of the work can hold them up.
    """

    def __init__(self, job: Job, *, drain: threading.Event | None = None) -> None:
        self.job = job
        self.cancel = threading.Event()
        self.stop = threading.Event()
        self.pause = threading.Event()
        self.drain = drain or threading.Event()
        self.lost = threading.Event()
        #: Set where the keeper should look at once.
        self.wake = threading.Event()
        #: When the keeper last heard from the database, by `time.monotonic()`.
        self.in_touch_at = time.monotonic()
        self._memory = threading.Lock()
        self._writing = threading.Lock()
        self._gate = LineGate()
        self._frames: list[Frame] = []
        self._progress: dict[str, Any] | None = None
        self._phase = job.progress.get("phase")
        self._progress_at = 0.0
        self._batch: tuple[list[Frame], dict[str, Any]] | None = None
        self._is_in_doubt = False
        self._last_at = timezone.now()

    def log(self, text: str, level: str = "info") -> None:
        """Add log lines; long ones are split, control characters and secrets dropped."""
        lines = clean_lines(text)
        with self._memory:
            for line in lines:
                frame = Frame(JobEvent.Type.LOG, {"level": level, "text": line}, self._now())
                self._frames += self._gate.admit(frame)
        self.wake.set()

    def progress(
        self,
        phase: str,
        done: int,
        total: int,
        *,
        eta_seconds: float | None = None,
        percent: float | None = None,
        **details: Any,
    ) -> None:
        """Say how far the work is; written about twice a second, and at each change of phase.

        Args:
            percent: 0..100 where it is known more finely than done / total.
            details: further plain values for the page that shows this kind of job.
        """
        if percent is None:
            percent = 100 * done / total if total else 0.0
        state = {
            **details,
            "phase": phase,
            "done": done,
            "total": total,
            "percent": round(min(percent, 100.0), 1),
            "eta_seconds": None if eta_seconds is None else round(eta_seconds, 1),
        }
        with self._memory:
            self._progress = plain(state)
        if phase != self._phase or time.monotonic() - self._progress_at >= _PROGRESS_SECONDS:
            self.wake.set()

    def flush(self, *, is_last: bool = False) -> None:
        """Write what is remembered, now.

        Not inside a transaction: the keeper may be about to write, and would wait for its end.

        Args:
            is_last: nothing will follow; a log that grew too long gets its last lines.

        Raises:
            LeaseLost: another attempt owns the job.
            RuntimeError: called inside a transaction.
        """
        if connection.in_atomic_block and not _is_of_testcase():
            raise RuntimeError("Reporter.flush() must not be called inside a transaction.")
        with self._writing:
            if is_last:
                with self._memory:
                    self._frames += self._gate.last()
            while self._take(is_last=is_last):
                self._write()

    def flush_if_due(self, *, now: float | None = None) -> None:
        """Write log lines, and progress where it is old enough.

        The keeper calls it often; and so should work whose transactions follow each other closely,
        in between: the keeper seldom finds the database free then. Not inside a transaction.

        Args:
            now: by `time.monotonic()`; now by default.
        """
        is_due = (time.monotonic() if now is None else now) - self._progress_at >= _PROGRESS_SECONDS
        with self._memory:
            has_lines = bool(self._frames) or self._batch is not None
            state = self._progress
        if has_lines or (state and (is_due or state["phase"] != self._phase)):
            self.flush()

    def due_in(self) -> float:
        """Return the seconds until there is progress to write; endless where none was told."""
        with self._memory:
            if self._progress is None:
                return math.inf
            return max(self._progress_at + _PROGRESS_SECONDS - time.monotonic(), 0.0)

    def raise_if_cancelled(self) -> None:
        """Leave the work where somebody asked for it.

        Raises:
            LeaseLost: another attempt owns the job; write nothing more.
            CancelRequested: a person canceled.
            Paused: a person laid the job aside.
            Drained: the worker is leaving.
        """
        if self.lost.is_set():
            raise LeaseLost
        if self.cancel.is_set():
            raise CancelRequested
        if self.pause.is_set():
            raise Paused
        if self.drain.is_set():
            raise Drained

    def _now(self) -> datetime:
        """Return a time that no other frame of this attempt has: it tells our frames again."""
        self._last_at = max(timezone.now(), self._last_at + timedelta(microseconds=1))
        return self._last_at

    def _take(self, *, is_last: bool) -> bool:
        """Make the next batch, unless one is still unwritten; False where there is nothing."""
        if self._batch is not None:
            return True
        now = time.monotonic()
        with self._memory:
            frames, self._frames = self._frames[:_BATCH], self._frames[_BATCH:]
            state, fields = self._progress, {}
            is_due = now - self._progress_at >= _PROGRESS_SECONDS
            if state and (is_last or is_due or state["phase"] != self._phase):
                frames.append(Frame(JobEvent.Type.PROGRESS, state, self._now()))
                fields = {"progress": state}
                self._progress, self._progress_at = None, now
                self._phase = state["phase"]
        if frames:
            self._batch = (frames, fields)
        return bool(frames)

    def _write(self) -> None:
        """Write the batch once, even where the answer to the first try was lost."""
        assert self._batch is not None
        frames, fields = self._batch
        try:
            if not (self._is_in_doubt and self._has_landed(frames[0])):
                transitions.append(self.job, frames, **fields)
        except LeaseLost:
            self.lost.set()
            raise
        except (OperationalError, InterfaceError):
            self._is_in_doubt = True
            raise
        except DatabaseError:
            # These frames cannot be stored, ever; what follows must not wait for them.
            self._batch = None
            raise
        self._batch, self._is_in_doubt = None, False
        if fields:
            self.job.progress = fields["progress"]

    def _has_landed(self, frame: Frame) -> bool:
        events: Any = self.job.event_model().objects
        return bool(events.filter(job_id=self.job.pk, type=frame.type, at=frame.at).exists())


def _is_of_testcase() -> bool:
    """Whether the transaction is the one that Django's TestCase wraps around each test."""
    return all(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)
