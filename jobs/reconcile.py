"""Brings rows and queue together again: what was lost is delivered, what is silent is taken back.

It looks at rows only, so an empty Redis is just one more delivery that got lost.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

import redis
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.functions import Now

from jobs import queue, transitions
from jobs.models import Job
from jobs.registry import job_models
from jobs.states import HELD, Status

log = logging.getLogger(__name__)

_GRACE = timedelta(seconds=15)


@dataclass
class Outcome:
    """How many rows one pass changed."""

    delivered: int = 0
    taken_back: int = 0


def reconcile(*, grace: timedelta = _GRACE) -> Outcome:
    """Take back what is silent, then deliver what has waited longer than `grace` undelivered."""
    outcome = Outcome()
    for model in job_models():
        for job in model._default_manager.all().silent():
            outcome.taken_back += _take_back(job)
        old = ExpressionWrapper(Now() - grace, output_field=DateTimeField())
        waiting = model._default_manager.filter(status=Status.QUEUED, queued_at__lt=old)
        outcome.delivered += _deliver(list(waiting.order_by("queued_at")))
    return outcome


def worker_gone(*, worker: str) -> int:
    """Take back at once what a worker held whose process is known to be dead.

    Returns:
        How many jobs it held.
    """
    count = 0
    for model in job_models():
        for job in model._default_manager.filter(worker=worker, status__in=HELD):
            count += _take_back(job)
    return count


def _take_back(job: Job) -> int:
    status = transitions.take_back(job)
    if status is None:
        return 0
    log.warning("Took back %s from a silent worker: %s", job, status)
    if status == Status.QUEUED:
        queue.submit(job)
    return 1


def _deliver(jobs: list[Job]) -> int:
    count = 0
    for job in jobs:
        if job.cancel_requested_at is not None:
            transitions.move(job, Status.CANCELED)
            continue
        try:
            if queue.is_delivered(job):
                continue
        except redis.RedisError:
            log.warning("Redis is away; queued jobs wait")
            return count
        count += queue.deliver(job)
    return count
