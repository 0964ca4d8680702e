"""Keeps the lease of a job in a thread of its own, writes what it tells, looks for wishes."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from jobs import transitions
from jobs.errors import LeaseLost
from jobs.models import Job, PausableJob
from jobs.reporter import FLUSH_SECONDS, Reporter
from jobs.states import HELD, Status

log = logging.getLogger(__name__)

_POLL_SECONDS = 2.0
_LONGEST_WAIT = 1.0
_BREATH_SECONDS = 0.05
_JOIN_SECONDS = 30.0


@contextmanager
def lease_kept(job: Job, reporter: Reporter) -> Iterator[None]:
    """Keep a claimed job's lease while the work, and the write that ends it, last."""
    keeper = _Keeper(job, reporter)
    thread = threading.Thread(target=keeper.run, name=f"keeper-{job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        keeper.done.set()
        reporter.wake.set()
        thread.join(timeout=_JOIN_SECONDS)


class _Keeper:
    """The thread's memory: when it last did what."""

    def __init__(self, job: Job, reporter: Reporter) -> None:
        self.job = job
        self.reporter = reporter
        self.done = threading.Event()
        self.renewed_at = self.polled_at = time.monotonic()
        self.poll_seconds = min(_POLL_SECONDS, settings.JOB_RENEW_SECONDS)

    def run(self) -> None:
        """Tick until the job is done or lost."""
        while not self.done.is_set() and not self.reporter.lost.is_set():
            self.reporter.wake.wait(min(self.poll_seconds, _LONGEST_WAIT, self.reporter.due_in()))
            # A breath, so that lines that come close together make one write.
            self.done.wait(_BREATH_SECONDS)
            pause = FLUSH_SECONDS - _BREATH_SECONDS
            try:
                self._tick()
                # Progress that was not quite due yet does not wait for a whole turn.
                pause = min(pause, self.reporter.due_in())
            except LeaseLost:
                self.reporter.lost.set()
            except (OperationalError, InterfaceError):
                log.warning("The database is away; the lease of %s waits", self.job)
                connection.close()
            except DatabaseError:
                log.exception("Frames of %s cannot be stored", self.job)
            self.done.wait(pause)
        connection.close()

    def _tick(self) -> None:
        """Do what is due; what fails stays due, and is tried again at the next tick."""
        self.reporter.wake.clear()
        now = time.monotonic()
        if now - self.renewed_at >= settings.JOB_RENEW_SECONDS:
            if not transitions.renew(self.job):
                raise LeaseLost
            self.renewed_at = now
        if now - self.polled_at >= self.poll_seconds:
            self._look_for_wishes()
            self.polled_at = now
        self.reporter.flush_if_due(now=now)

    def _look_for_wishes(self) -> None:
        may_pause = isinstance(self.job, PausableJob)
        wishes = ["cancel_requested_at", *(["paused_at"] if may_pause else [])]
        row = transitions.rows_of(self.job).values("status", *wishes).first()
        if row is None or row["status"] not in HELD:
            raise LeaseLost
        if row["status"] == Status.STOPPING:
            self.reporter.stop.set()
        if row["cancel_requested_at"] is not None:
            self.reporter.cancel.set()
        if row.get("paused_at") is not None:
            self.reporter.pause.set()
        self.reporter.in_touch_at = time.monotonic()
