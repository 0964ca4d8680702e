"""Delivery: rings RQ's queue for rows that wait. Redis may be away; `reconcile` rings again."""

import logging
from typing import Any

import redis
import rq
from django.db import transaction
from rq.serializers import JSONSerializer

from jobs import transitions
from jobs.models import Job
from jobs.redis_client import quick_client

log = logging.getLogger(__name__)

#: A delivery that nobody fetched for so long is forgotten; the reconciler makes another.
_LIFETIME_SECONDS = 24 * 3600


def submit(job: Job, *, at_front: bool = False) -> None:
    """Deliver a queued job once the transaction that made it has committed."""
    transaction.on_commit(lambda: deliver(job, at_front=at_front), robust=True)


def deliver(job: Job, *, at_front: bool = False) -> bool:
    """Put the job's id on its queue now.

    Args:
        at_front: before all others: it had begun already.

    Returns:
        False where Redis is away: the row stays queued and the reconciler delivers it.
    """
    try:
        _ring(job.queue, job.task, str(job.pk), delivery_id(job), at_front=at_front)
    except redis.RedisError as error:
        log.warning("Job %s waits in the database: Redis is away (%s)", job, type(error).__name__)
        return False
    return True


def deliver_again(delivery: Any, name: str, *, at_front: bool = False) -> None:
    """Put a delivery that was fetched back on its queue: another worker is to do it.

    Args:
        delivery: RQ's job, one that `delivery.task_in` has found to be ours.
        name: the queue that it came from.
    """
    try:
        _ring(name, delivery.func_name, delivery.args[0], delivery.id, at_front=at_front)
    except redis.RedisError:
        log.info("Redis is away; the reconciler delivers %s again", delivery.id)


def _ring(name: str, task: str, job_id: str, delivered_as: str, *, at_front: bool) -> None:
    rq_queue(name).enqueue_call(
        func=task,
        args=(job_id,),
        job_id=delivered_as,
        timeout=-1,
        ttl=_LIFETIME_SECONDS,
        at_front=at_front,
    )


def delivery_id(job: Job) -> str:
    """Return RQ's id for the coming attempt: the same delivery twice has the same id."""
    return f"{job.slug}-{job.pk}-{job.attempt + 1}"


def waiting_deliveries(name: str) -> set[str]:
    """Return the ids of the deliveries that wait in a queue.

    Raises:
        redis.RedisError: Redis is away.
    """
    return set(rq_queue(name).get_job_ids())


def cancel(job: Job) -> None:
    """Cancel a job at a person's wish; see `transitions.request_cancel`."""
    transitions.request_cancel(job)


def retry(job: Job) -> None:
    """Queue a failed or canceled job again; it goes on where its work can.

    Raises:
        UserError: `not_resumable`, it is active or succeeded.
    """
    with transaction.atomic():
        transitions.requeue(job)
        submit(job)


def rq_queue(name: str) -> rq.Queue:
    """Return RQ's queue, on a client that gives up quickly: for a request, the row is enough."""
    return rq.Queue(
        name,
        connection=quick_client(),
        serializer=JSONSerializer,
        default_timeout=-1,
    )
