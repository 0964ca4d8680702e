"""The one wrapper that owns a job's life: claim, keep the lease, work, finish."""

import logging
import math
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import translation

from jobs import queue, transitions
from jobs.errors import CancelRequested, Drained, Interrupted, LeaseLost, UserError
from jobs.identity import giving_back, leaving, worker_name
from jobs.keeper import lease_kept
from jobs.models import Job
from jobs.patience import persist
from jobs.reporter import Reporter
from jobs.states import Status

log = logging.getLogger(__name__)

J = TypeVar("J", bound=Job)
#: Writes what success promises, in the transaction that says SUCCEEDED.
Commit = Callable[[], None]
Work = Callable[[J, Reporter], Commit | None]


def run_job(model: type[J], job_id: str, work: Work[J]) -> bool:
    """Claim a job and do its work; every way out leaves the row true.

    Args:
        work: raises `UserError` where the caller is at fault, anything else where we are; returns
            None or a function that writes the result in the same transaction as SUCCEEDED.

    Returns:
        Whether it was ours to do.
    """
    if leaving.is_set():
        return False  # the row waits; the reconciler delivers it to another worker
    job = _claim(model, job_id)
    if job is None:
        log.info("Nothing to claim: %s %s", model.slug, job_id)
        return False
    reporter = Reporter(job, drain=giving_back)
    with lease_kept(job, reporter), _language_of(job):
        _conclude(job, reporter, _attempt(job, reporter, work))
    return True


def _claim(model: type[J], job_id: str) -> J | None:
    """Claim, even where the answer to the first try was lost on the way."""
    tries = 0

    def claim() -> J | None:
        nonlocal tries
        tries += 1
        mine = transitions.held_by(model, job_id, worker=worker_name()) if tries > 1 else None
        return mine or transitions.claim(model, job_id, worker=worker_name())

    return persist(claim)


def _attempt(job: J, reporter: Reporter, work: Work[J]) -> Callable[[], object]:
    """Do the work and return the write that ends it."""
    try:
        commit = work(job, reporter)
        return lambda: _succeed(job, reporter, commit)
    except LeaseLost:
        return lambda: log.warning("Another attempt owns %s; nothing more is written", job)
    except CancelRequested:
        return lambda: _end(job, reporter, Status.CANCELED)
    except Drained:
        return lambda: _give_back(job, reporter, counts_as_loss=False)
    except Interrupted as cut:
        reason = cut.reason
        return lambda: _give_back(job, reporter, reason=reason)
    except (OperationalError, InterfaceError):
        log.exception("The database failed under %s", job)
        return lambda: _give_back(job, reporter, reason="database_away")
    except Exception as error:  # noqa: BLE001  whatever it is, the row says so
        failure = _failure(job, error)
        return lambda: _end(job, reporter, Status.FAILED, error=failure)


def _conclude(job: Job, reporter: Reporter, end: Callable[[], object]) -> None:
    """Write the end. What the work took is worth more than this worker's time: wait for it."""
    try:
        persist(end, patience=math.inf)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  the result could not be written
        failure = _failure(job, error)
        persist(lambda: _end(job, reporter, Status.FAILED, error=failure), patience=math.inf)


def _failure(job: Job, error: Exception) -> dict[str, Any]:
    """Return what the row says of an error: theirs as it stands, ours as an incident."""
    if not isinstance(error, UserError):
        incident = uuid.uuid4().hex[:12]
        log.error("Job %s failed, incident %s", job, incident, exc_info=error)
        error = UserError("internal", incident=incident)
    return error.as_row()


def _succeed(job: Job, reporter: Reporter, commit: Commit | None) -> None:
    if not _tell_the_rest(reporter):
        return
    with transaction.atomic():
        if transitions.finish(job, Status.SUCCEEDED, error=None):
            if commit is not None:
                commit()
            return
    # A try whose answer was lost may have landed; the row may be gone altogether.
    rows = type(job)._default_manager.filter(pk=job.pk)
    if rows.values_list("status", flat=True).first() != Status.SUCCEEDED:
        log.warning("The result of %s came too late and is dropped", job)


def _end(job: Job, reporter: Reporter, to: Status, **fields: Any) -> None:
    if _tell_the_rest(reporter):
        transitions.finish(job, to, **fields)


def _give_back(job: Job, reporter: Reporter, **how: Any) -> None:
    if _tell_the_rest(reporter) and transitions.take_back(job, **how) == Status.QUEUED:
        queue.submit(job, at_front=True)


def _tell_the_rest(reporter: Reporter) -> bool:
    """Write the last lines; False where another attempt owns the job."""
    try:
        reporter.flush(is_last=True)
    except LeaseLost:
        return False
    return True


def _language_of(job: Job) -> translation.override:
    """Log lines are written in the language of the person who started the job."""
    person = persist(lambda: job.created_by)
    return translation.override((person and person.language) or settings.LANGUAGE_CODE)
