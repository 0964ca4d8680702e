"""Brings rows and queue together again: what was lost is delivered, what is silent is taken back.

It looks at rows only, so an empty Redis is just one more delivery that got lost. Any number may run
at once: each of their writes is conditional, and a delivery too many finds nothing to claim.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.functions import Now

from jobs import queue, transitions
from jobs.identity import is_dead
from jobs.models import Job
from jobs.registry import job_models
from jobs.states import HELD, Status

log = logging.getLogger(__name__)

#: A delivery on its way is not lost yet; one too many does no harm.
_GRACE = timedelta(seconds=5)
#: The seconds since 1970 by the database's clock.
_CLOCK = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())::float8",
}


@dataclass
class Outcome:
    """How many rows one pass changed."""

    delivered: int = 0
    taken_back: int = 0


class Reconciler:
    """Passes in a loop, with a memory of how long the database has been there.

    After a time without database (or a sleep of the machine, or another time on its clock) all
    leases have run out, and their holders live: they are given the time of two renewals to be heard
    before they count as silent.
    """

    def __init__(self) -> None:
        self._settle_seconds = 2 * settings.JOB_RENEW_SECONDS
        self._there_since: float | None = None
        self._seen_at = 0.0
        self._clock_ahead: float | None = None

    def run_pass(self) -> Outcome:
        """Do one pass.

        Raises:
            DatabaseError, InterfaceError: the database is away.
        """
        try:
            took, clock = _look_at_database()
            outcome = reconcile(take_back=self._is_settled(took=took, clock=clock))
        except (DatabaseError, InterfaceError):
            self._there_since = None
            raise
        self._seen_at = time.monotonic()
        return outcome

    def _is_settled(self, *, took: float, clock: float) -> bool:
        now, lease = time.monotonic(), settings.JOB_LEASE_SECONDS
        # Ours stands still while a machine sleeps; the database's does not, and may be set.
        before, self._clock_ahead = self._clock_ahead, clock - now
        jump = abs(self._clock_ahead - before) if before is not None else 0.0
        is_calm = max(now - self._seen_at, jump) <= lease / 2 and took <= lease / 4
        if self._there_since is None or not is_calm:
            self._there_since = now
        return bool(now - self._there_since >= self._settle_seconds)


def _look_at_database() -> tuple[float, float]:
    """Return how long it takes until we might write, and what time it is there.

    SQLite may be locked, and yet be read.
    """
    began = time.monotonic()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLOCK[connection.vendor])
        clock = float(cursor.fetchone()[0])
    return time.monotonic() - began, clock


def reconcile(*, grace: timedelta = _GRACE, take_back: bool = True) -> Outcome:
    """Take back what is silent, then deliver what has waited longer than `grace` undelivered."""
    outcome = Outcome()
    for model in job_models():
        if take_back:
            for job in model.objects.silent():
                outcome.taken_back += _take_back(job, only_if_expired=True)
        old = ExpressionWrapper(Now() - grace, output_field=DateTimeField())
        # What nobody may take yet would only be fetched in vain, again and again.
        waiting = model.objects.claimable().filter(queued_at__lt=old)
        outcome.delivered += _deliver(model, list(waiting.order_by("queued_at")))
    return outcome


def worker_gone(*, worker: str, counts_as_loss: bool = True) -> int:
    """Take back at once what a worker held whose process is known to be dead.

    Returns:
        How many jobs it held.
    """
    count = 0
    for model in job_models():
        for job in model.objects.filter(worker=worker, status__in=HELD):
            count += _take_back(job, counts_as_loss=counts_as_loss)
    return count


def take_back_from_the_dead() -> int:
    """Take back at once what workers held whose processes are seen to be dead from here.

    Returns:
        How many jobs they held.
    """
    held = [model.objects.held().values_list("worker", flat=True) for model in job_models()]
    holders = {worker for workers in held for worker in workers}
    return sum(worker_gone(worker=worker) for worker in sorted(holders) if is_dead(worker))


def _take_back(job: Job, **how: Any) -> int:
    try:
        status = transitions.take_back(job, **how)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # One row that cannot be written must not keep all others waiting.
        log.exception("Cannot take back %s", job)
        return 0
    if status is None:
        return 0
    log.warning("Took back %s from a silent worker: %s", job, status)
    if status == Status.QUEUED:
        queue.submit(job, at_front=True)
    return 1


def _deliver(model: type[Job], jobs: list[Job]) -> int:
    """Deliver what is not on its way already, the oldest first."""
    if not jobs:
        return 0
    try:
        delivered = queue.waiting_deliveries(model.queue)
    except redis.RedisError:
        log.warning("Redis is away; queued jobs wait")
        return 0
    count = 0
    for job in jobs:
        if queue.delivery_id(job) in delivered:
            continue
        if not queue.deliver(job):
            break
        count += 1
    return count
