"""The one wrapper that owns a job's life: claim, keep the lease, work, finish."""

import logging
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.conf import settings
from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)
from django.utils import translation

from jobs import queue, transitions
from jobs.errors import CancelRequested, Drained, Interrupted, LeaseLost, UserError
from jobs.identity import worker_name
from jobs.models import Job
from jobs.patience import persist
from jobs.reporter import Reporter
from jobs.states import Status

log = logging.getLogger(__name__)

J = TypeVar("J", bound=Job)
#: Writes what success promises, in the transaction that says SUCCEEDED.
Commit = Callable[[], None]
Work = Callable[[J, Reporter], Commit | None]

_TICK_SECONDS = 0.5
_POLL_SECONDS = 2.0


def run_job(model: type[J], job_id: str, work: Work[J]) -> None:
    """Claim a job and do its work; every way out leaves the row true.

    Args:
        work: raises `UserError` where the caller is at fault, anything else where we are; returns
            None or a function that writes the result in the same transaction as SUCCEEDED.
    """
    job = transitions.claim(model, job_id, worker=worker_name())
    if job is None:
        log.info("Nothing to claim: %s %s", model.slug, job_id)
        return
    reporter = Reporter(job)
    with _draining(reporter), _lease_kept(job, reporter), _language_of(job):
        end = _attempt(job, reporter, work)
        persist(end)


def _attempt(job: J, reporter: Reporter, work: Work[J]) -> Callable[[], object]:
    """Do the work and return the write that ends it."""
    try:
        commit = work(job, reporter)
        persist(reporter.flush)
        return lambda: _succeed(job, commit)
    except LeaseLost:
        return lambda: log.warning("Another attempt owns %s; nothing more is written", job)
    except CancelRequested:
        return lambda: _end(job, reporter, Status.CANCELED)
    except Drained:
        return lambda: _give_back(job, reporter, counts_as_loss=False)
    except Interrupted as cut:
        reason = cut.reason
        return lambda: _give_back(job, reporter, counts_as_loss=True, reason=reason)
    except UserError as error:
        row = error.as_row()
        return lambda: _end(job, reporter, Status.FAILED, error=row)
    except Exception:
        incident = uuid.uuid4().hex[:12]
        log.exception("Job %s failed, incident %s", job, incident)
        failure = UserError("internal", incident=incident).as_row()
        return lambda: _end(job, reporter, Status.FAILED, error=failure)


def _succeed(job: Job, commit: Commit | None) -> None:
    with transaction.atomic():
        if not transitions.move(job, Status.SUCCEEDED, error=None):
            log.warning("The result of %s came too late and is dropped", job)
            return
        if commit is not None:
            commit()


def _end(job: Job, reporter: Reporter, to: Status, **fields: Any) -> None:
    try:
        reporter.flush()
    except LeaseLost:
        return
    transitions.move(job, to, **fields)


def _give_back(job: Job, reporter: Reporter, **how: Any) -> None:
    try:
        reporter.flush()
    except LeaseLost:
        return
    job.refresh_from_db(fields=["cancel_requested_at", "losses"])
    if transitions.take_back(job, **how) == Status.QUEUED:
        queue.submit(job)


def _language_of(job: Job) -> translation.override:
    """Log lines are written in the language of the person who started the job."""
    person = job.created_by
    return translation.override(person.language if person else settings.LANGUAGE_CODE)


@contextmanager
def _draining(reporter: Reporter) -> Iterator[None]:
    """Turn SIGTERM into a request to leave; only where nobody else handles it (a forked child)."""
    is_free = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    )
    if not is_free:
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: reporter.drain.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _lease_kept(job: Job, reporter: Reporter) -> Iterator[None]:
    """Renew the lease, flush the reporter and look for wishes, in a thread of its own."""
    done = threading.Event()
    keeper = threading.Thread(
        target=_keep, args=(job, reporter, done), name=f"keeper-{job.pk}", daemon=True
    )
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join(timeout=30)


def _keep(job: Job, reporter: Reporter, done: threading.Event) -> None:
    renewed = polled = time.monotonic()
    while not done.wait(_TICK_SECONDS) and not reporter.lost.is_set():
        now = time.monotonic()
        try:
            reporter.flush_if_due()
            if now - polled >= min(_POLL_SECONDS, settings.JOB_RENEW_SECONDS):
                polled = now
                _look_for_wishes(job, reporter)
            if now - renewed >= settings.JOB_RENEW_SECONDS:
                renewed = now
                if not transitions.renew(job):
                    reporter.lost.set()
        except LeaseLost:
            reporter.lost.set()
        except (OperationalError, InterfaceError):
            log.warning("The database is away; the lease of %s waits", job)
            connection.close()
        close_old_connections()
    connection.close()


def _look_for_wishes(job: Job, reporter: Reporter) -> None:
    row = (
        type(job)
        ._default_manager.filter(pk=job.pk, attempt=job.attempt)
        .values("status", "cancel_requested_at")
        .first()
    )
    if row is None or row["status"] not in {Status.RUNNING, Status.STOPPING}:
        reporter.lost.set()
        return
    if row["status"] == Status.STOPPING:
        reporter.stop.set()
    if row["cancel_requested_at"] is not None:
        reporter.cancel.set()
