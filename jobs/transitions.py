"""The only writers of a job's status, attempt, lease and events.

Every write is a conditional update: it names the attempt that it believes to own the job. One row
means that it was right; no row means that somebody else owns the job now, and nothing was written.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F
from django.db.models.functions import Coalesce, Now

from jobs import events
from jobs.errors import LeaseLost, UserError
from jobs.models import NO_LEASE, Job, JobEvent
from jobs.states import HELD, SOURCES, TERMINAL, Status

#: The newest kind of specification that this release can run; an older worker leaves newer ones.
SPEC_VERSION = 1

Frame = tuple[str, dict[str, Any]]
J = TypeVar("J", bound=Job)


def lease_end() -> ExpressionWrapper:
    """Return the end of a lease taken now, by the database's clock."""
    length = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    return ExpressionWrapper(Now() + length, output_field=DateTimeField())


def claim(model: type[J], job_id: object, *, worker: str) -> J | None:
    """Take a queued job: raise its attempt, take the lease.

    Returns:
        The job as claimed, or None where there is nothing to claim (a duplicate delivery, a
        canceled job, another worker was faster): walk away quietly.
    """
    seen = model._default_manager.filter(pk=job_id).values_list("attempt", flat=True).first()
    if seen is None:
        return None
    with transaction.atomic():
        rows = model._default_manager.filter(
            pk=job_id,
            attempt=seen,
            status=Status.QUEUED,
            cancel_requested_at__isnull=True,
            spec_version__lte=SPEC_VERSION,
        ).update(
            status=Status.RUNNING,
            attempt=seen + 1,
            worker=worker,
            lease_until=lease_end(),
            started_at=Coalesce(F("started_at"), Now()),
        )
        if not rows:
            return None
        job = model._default_manager.get(pk=job_id)
        _append_status(job)
    return job


def renew(job: Job) -> bool:
    """Extend the lease; valid even after it ran out, as long as nobody else took the job.

    Returns:
        False where the job belongs to another attempt or has ended.
    """
    return bool(_mine(job).update(lease_until=lease_end()))


@contextmanager
def fenced(job: Job) -> Iterator[None]:
    """Run writes in one transaction that commits only while this attempt owns the job.

    Raises:
        LeaseLost: it does not any more; everything inside is rolled back.
    """
    with transaction.atomic():
        # First, so that the row is locked and nobody can take the job in between.
        if not renew(job):
            raise LeaseLost
        yield


def move(job: Job, to: Status, **fields: Any) -> bool:
    """Change the status, if the job is still as believed; record it in the job's story.

    Args:
        job: the row as last read; on success its fields are brought up to date.
        to: the new status; `states.SOURCES` says from where it may come.
        fields: further columns to write with it (values or expressions).

    Returns:
        False where the job is not in the believed attempt or status; nothing is written then.
    """
    if to in TERMINAL:
        fields = {"finished_at": Now(), "lease_until": NO_LEASE, **fields}
    elif to == Status.QUEUED:
        fields = {"finished_at": None, "lease_until": NO_LEASE, "queued_at": Now(), **fields}
    with transaction.atomic():
        rows = _rows(job).filter(status__in=SOURCES[to]).update(status=to, **fields)
        if rows:
            job.refresh_from_db()
            _append_status(job)
    return bool(rows)


def append(job: Job, frames: Sequence[Frame], **fields: Any) -> int:
    """Add frames to the story of a job that this attempt owns, with the next numbers.

    Args:
        frames: (type, payload) in order.
        fields: columns of the job to write with them, e.g. progress.

    Returns:
        The number of the last frame.

    Raises:
        LeaseLost: another attempt owns the job.
    """
    with transaction.atomic():
        if not _mine(job).update(last_seq=F("last_seq") + len(frames), **fields):
            raise LeaseLost
        return _insert(job, frames)


def request_cancel(job: Job) -> None:
    """Cancel a job: at once where it waits, by a flag that its worker polls where it runs.

    Raises:
        UserError: `not_active`, it has ended.
    """
    if job.status == Status.QUEUED and move(job, Status.CANCELED, cancel_requested_at=Now()):
        return
    flagged = type(job)._default_manager.filter(pk=job.pk, status__in=HELD)
    if flagged.update(cancel_requested_at=Coalesce(F("cancel_requested_at"), Now())):
        job.refresh_from_db()
        return
    job.refresh_from_db()
    if job.status == Status.QUEUED and move(job, Status.CANCELED, cancel_requested_at=Now()):
        return
    raise UserError("not_active")


def take_back(
    job: Job, *, counts_as_loss: bool = True, reason: str = "worker_lost"
) -> Status | None:
    """Return a job whose worker is gone (or leaving) to the queue, or end it.

    A canceled one is canceled; one that lost its worker `max_losses` times without progress fails.

    Returns:
        The new status, or None where the job was not as believed.
    """
    losses = job.losses + 1 if counts_as_loss else job.losses
    if job.cancel_requested_at is not None:
        to, fields = Status.CANCELED, {}
    elif losses >= job.max_losses:
        error = UserError(reason, losses=losses).as_row()
        to, fields = Status.FAILED, {"losses": losses, "error": error}
    else:
        to, fields = Status.QUEUED, {"losses": losses, "worker": ""}
    return to if move(job, to, **fields) else None


def _rows(job: Job) -> Any:
    return type(job)._default_manager.filter(pk=job.pk, attempt=job.attempt)


def _mine(job: Job) -> Any:
    return _rows(job).filter(status__in=HELD)


def _append_status(job: Job) -> None:
    """Record the status just written; the caller's update holds the row's lock."""
    _rows(job).update(last_seq=F("last_seq") + 1)
    payload = {"status": job.status, "attempt": job.attempt, "error": job.error}
    _insert(job, [(JobEvent.Type.STATUS, payload)])


def _insert(job: Job, frames: Sequence[Frame]) -> int:
    last = int(type(job)._default_manager.values_list("last_seq", flat=True).get(pk=job.pk))
    model = job.event_model()
    first = last - len(frames) + 1
    model._default_manager.bulk_create(
        model(job_id=job.pk, seq=first + index, type=type_, payload=payload)
        for index, (type_, payload) in enumerate(frames)
    )
    job.last_seq = last
    transaction.on_commit(lambda: events.ring(job), robust=True)
    return last
