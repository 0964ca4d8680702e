"""The only writers of a job's status, attempt, lease and events.

Every write is a conditional update: it names the attempt that it believes to own the job. One row
means that it was right; no row means that somebody else owns the job now, and nothing was written.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from jobs import events, notices
from jobs.errors import LeaseLost, UserError
from jobs.frames import Frame
from jobs.models import NO_LEASE, Job, JobEvent, PausableJob, lease_end, lease_is_over
from jobs.states import ACTIVE, HELD, RETRIABLE, SOURCES, TERMINAL, Status

J = TypeVar("J", bound=Job)
JobId = str | UUID
#: (type, payload), or a `Frame` with its own time.
Frames = Sequence[tuple[str, Any] | Frame]


def claim(model: type[J], job_id: JobId, *, worker: str) -> J | None:
    """Take a queued job: raise its attempt, take the lease.

    Returns:
        The job as claimed, or None where there is nothing to claim (a duplicate delivery, a
        canceled job, another worker was faster, a newer release made it): walk away quietly.
    """
    rows: Any = model._default_manager.filter(pk=job_id)
    seen = rows.values_list("attempt", flat=True).first()
    if seen is None:
        return None
    with transaction.atomic():
        more = model.claim_columns(job_id)
        claimed = (
            rows.claimable()
            .filter(attempt=seen)
            .update(
                status=Status.RUNNING,
                attempt=seen + 1,
                worker=worker,
                lease_until=lease_end(),
                started_at=Coalesce(F("started_at"), Now()),
                last_seq=F("last_seq") + 1,
                **more,
            )
        )
        if not claimed:
            return None
        # With whom it is for: its log speaks that person's language.
        job: J = rows.select_related("created_by").get()
        _record_status(job)
        job.moved()
    return job


def held_by(model: type[J], job_id: JobId, *, worker: str) -> J | None:
    """Return a job if this worker holds it: for a claim whose answer was lost on the way."""
    rows: Any = model._default_manager.filter(pk=job_id, worker=worker, status__in=HELD)
    job: J | None = rows.first()
    return job


def renew(job: Job, **fields: Any) -> bool:
    """Extend the lease; valid even after it ran out, as long as nobody else took the job.

    Args:
        fields: further columns of the job to write with it.

    Returns:
        False where the job belongs to another attempt or has ended.
    """
    return bool(_mine(job).update(lease_until=lease_end(), **fields))


@contextmanager
def fenced(job: Job, **fields: Any) -> Iterator[None]:
    """Run writes in one transaction that commits only while this attempt owns the job.

    Args:
        fields: columns of the job to write with them, e.g. `losses=0` after real progress.

    Raises:
        LeaseLost: it does not any more; everything inside is rolled back.
    """
    with transaction.atomic():
        # First, so that the row is locked and nobody can take the job in between.
        if not renew(job, **fields):
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
    return _move(job, to, SOURCES[to], **fields)


def finish(job: Job, to: Status, **fields: Any) -> bool:
    """End a job that this attempt holds; an attempt that lost it ends nothing.

    Returns:
        False where another attempt owns the job, or it has ended; nothing is written then.
    """
    return _move(job, to, HELD, **fields)


def append(job: Job, frames: Frames, **fields: Any) -> int:
    """Add frames to the story of a job that this attempt owns, with the next numbers.

    Args:
        frames: in order.
        fields: columns of the job to write with them, e.g. progress.

    Returns:
        The number of the last frame.

    Raises:
        LeaseLost: another attempt owns the job.
    """
    with transaction.atomic():
        if not _mine(job).update(last_seq=F("last_seq") + len(frames), **fields):
            raise LeaseLost
        last = type(job)._default_manager.values_list("last_seq", flat=True).get(pk=job.pk)
        return _insert(job, frames, int(last))


def request_cancel(job: Job) -> None:
    """Cancel a job: at once where it waits, by a flag that its worker polls where it runs.

    Raises:
        UserError: `not_active`, it has ended.
    """
    with transaction.atomic():
        row = _locked(type(job), pk=job.pk)
        if row is None or row.status in TERMINAL:
            raise UserError("not_active")
        wish = {"cancel_requested_at": row.cancel_requested_at or Now()}
        if row.status == Status.QUEUED:
            move(row, Status.CANCELED, **wish)
        else:
            rows_of(row).update(**wish)
    job.refresh_from_db()


def request_pause(job: PausableJob) -> None:
    """Lay a job aside: at once where it waits, by a flag that its worker polls where it runs.

    Raises:
        UserError: `not_active`, it has ended; `ending`, it is about to.
    """
    with transaction.atomic():
        row = _locked(type(job), pk=job.pk)
        if row is None or row.status in TERMINAL:
            raise UserError("not_active")
        if row.status == Status.STOPPING or row.cancel_requested_at is not None:
            raise UserError("ending")
        if row.paused_at is None:
            _record_pause(row, paused_at=Now())
    job.refresh_from_db()


def end_pause(job: PausableJob) -> None:
    """Let a job that lies aside wait for a worker again, before those who came after it.

    Raises:
        UserError: `not_resumable`, it does not lie aside.
    """
    with transaction.atomic():
        row = _locked(type(job), pk=job.pk, status__in=ACTIVE, paused_at__isnull=False)
        if row is None:
            raise UserError("not_resumable")
        # The pause is no waiting: nobody gets ahead of others by it, or loses what they waited.
        pause = _now(row) - row.paused_at
        _record_pause(row, paused_at=None, queued_at=row.queued_at + pause)
    job.refresh_from_db()


def take_back(
    job: Job,
    *,
    counts_as_loss: bool = True,
    reason: str = "worker_lost",
    only_if_expired: bool = False,
) -> Status | None:
    """Return a job whose worker is gone (or leaving) to the queue, or end it.

    A canceled one is canceled; one that lost its worker `max_losses` times without progress fails.

    Args:
        reason: the code of the error with which it fails.
        only_if_expired: leave it where its worker was heard of after all.

    Returns:
        The new status, or None where this attempt did not hold the job any more.
    """
    silent = lease_is_over() if only_if_expired else Q()
    with transaction.atomic():
        row = _locked(type(job), silent, status__in=HELD, **_fence(job))
        if row is None:
            return None
        losses = row.losses + 1 if counts_as_loss else row.losses
        # It keeps its place: whoever was interrupted does not wait behind those who came later.
        to, fields = Status.QUEUED, {"losses": losses, "worker": "", "queued_at": row.queued_at}
        if row.cancel_requested_at is not None:
            to, fields = Status.CANCELED, {}
        elif losses >= row.max_losses:
            error = UserError(reason, losses=losses).as_row()
            to, fields = Status.FAILED, {"losses": losses, "error": error}
        _move(row, to, HELD, **fields)
    job.refresh_from_db()
    return to


def requeue(job: Job) -> None:
    """Queue a failed or canceled job again, as if it had lost nothing.

    Raises:
        UserError: `not_resumable`, it is active or succeeded.
    """
    fields = {"losses": 0, "error": None, "cancel_requested_at": None, "worker": ""}
    if not _move(job, Status.QUEUED, RETRIABLE, **fields):
        raise UserError("not_resumable")


def _move(job: Job, to: Status, sources: frozenset[Status], **fields: Any) -> bool:
    if to in TERMINAL:
        fields = {"finished_at": Now(), "lease_until": NO_LEASE, **_not_paused(job), **fields}
    elif to == Status.QUEUED:
        fields = {"finished_at": None, "lease_until": NO_LEASE, "queued_at": Now(), **fields}
    with transaction.atomic():
        fields["last_seq"] = F("last_seq") + 1
        rows = rows_of(job).filter(status__in=sources).update(status=to, **fields)
        if rows:
            job.refresh_from_db()
            _record_status(job)
            job.moved()
            notices.note_end(job)
    return bool(rows)


def rows_of(job: Job) -> Any:
    """Return the row of a job as a queryset: empty where it is another attempt's by now."""
    return type(job)._default_manager.filter(**_fence(job))


def _fence(job: Job) -> dict[str, Any]:
    """Return what the row of a job says while it is as believed.

    The worker too: a database put back to an older state gives the same attempt out again.
    """
    return {"pk": job.pk, "attempt": job.attempt, "worker": job.worker}


def _mine(job: Job) -> Any:
    return rows_of(job).filter(status__in=HELD)


def _locked(model: type[J], *conditions: Q, **lookup: Any) -> J | None:
    """Read a row that nobody else can change until the transaction ends."""
    return model._default_manager.select_for_update().filter(*conditions, **lookup).first()


def _now(job: Job) -> Any:
    """Return the time by the database's clock."""
    return (
        type(job)._default_manager.annotate(now=Now()).values_list("now", flat=True).get(pk=job.pk)
    )


def _not_paused(job: Job) -> dict[str, None]:
    return {"paused_at": None} if isinstance(job, PausableJob) else {}


def _record_pause(job: PausableJob, **fields: Any) -> None:
    """Write that a job is laid aside, or is not any more; its status stays as it is."""
    rows_of(job).update(last_seq=F("last_seq") + 1, **fields)
    job.refresh_from_db()
    _record_status(job, is_paused=job.paused_at is not None)


def _record_status(job: Job, **more: Any) -> None:
    """Record the status just written, under the number that the same update took for it."""
    payload = {"status": job.status, "attempt": job.attempt, "error": job.error, **more}
    _insert(job, [(JobEvent.Type.STATUS, payload)], job.last_seq)


def _insert(job: Job, frames: Frames, last: int) -> int:
    """Add frames of which the last has this number; whoever calls holds the row's lock."""
    model: Any = job.event_model()
    first = last - len(frames) + 1
    model.objects.bulk_create(
        model(job_id=job.pk, seq=first + index, **Frame(*frame).row())
        for index, frame in enumerate(frames)
    )
    job.last_seq = last
    transaction.on_commit(lambda: events.ring(job), robust=True)
    return last
