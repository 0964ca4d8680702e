"""What the work may tell while it runs: progress and log lines, batched, throttled, fenced."""

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from jobs import transitions
from jobs.errors import CancelRequested, Drained, LeaseLost
from jobs.models import Job, JobEvent

_FLUSH_SECONDS = 1.0
_MAX_LINES = 200
_MAX_LINE = 8_192
#: Escape sequences of terminals, and control characters other than tab.
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class Reporter:
    """Handed to the work; safe to call from several threads."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cancel = threading.Event()
        self.stop = threading.Event()
        self.drain = threading.Event()
        self.lost = threading.Event()
        self._lock = threading.Lock()
        self._frames: list[transitions.Frame] = []
        self._progress: dict[str, Any] | None = None
        self._progress_at = 0.0
        self._flushed_at = time.monotonic()

    def log(self, text: str, level: str = "info") -> None:
        """Add a log line; long lines are split, control characters dropped."""
        clean = _UNPRINTABLE.sub("", text)
        parts = [clean[i : i + _MAX_LINE] for i in range(0, len(clean), _MAX_LINE)] or [""]
        with self._lock:
            for part in parts:
                self._frames.append((JobEvent.Type.LOG, {"level": level, "text": part}))
            is_full = len(self._frames) >= _MAX_LINES
        if is_full:
            self.flush()

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
        """Say how far the work is; written at most once a second, and at each change of phase.

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
        with self._lock:
            changed = self.job.progress.get("phase") != phase
            self._progress = state
        if changed or time.monotonic() - self._progress_at >= _FLUSH_SECONDS:
            self.flush()

    def flush_if_due(self) -> None:
        """Write what has waited for a second; called by the keeper of the lease."""
        if time.monotonic() - self._flushed_at >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered in one transaction.

        Raises:
            LeaseLost: another attempt owns the job.
        """
        with self._lock:
            frames, state = self._frames[:], self._progress
            fields: dict[str, Any] = {}
            if state is not None:
                frames.append((JobEvent.Type.PROGRESS, state))
                fields["progress"] = state
            self._flushed_at = time.monotonic()
            if not frames:
                return
            self._write(lambda: transitions.append(self.job, frames, **fields))
            # Only now: what a database that is away refused is written at the next flush.
            self._frames, self._progress = [], None
            if state is not None:
                self.job.progress, self._progress_at = state, time.monotonic()

    def raise_if_cancelled(self) -> None:
        """Leave the work where somebody asked for it.

        Raises:
            LeaseLost: another attempt owns the job; write nothing more.
            CancelRequested: a person canceled.
            Drained: the worker is leaving.
        """
        if self.lost.is_set():
            raise LeaseLost
        if self.cancel.is_set():
            raise CancelRequested
        if self.drain.is_set():
            raise Drained

    def _write(self, write: Callable[[], Any]) -> None:
        try:
            write()
        except LeaseLost:
            self.lost.set()
            raise
