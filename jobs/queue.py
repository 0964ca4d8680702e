"""Delivery: rings RQ's queue for rows that wait. Redis may be away; `reconcile` rings again."""

import logging
from typing import Any

import redis
import rq
from django.conf import settings
from django.db import transaction
from django_rq import get_queue
from rq.serializers import JSONSerializer

from jobs import transitions
from jobs.errors import UserError
from jobs.models import Job
from jobs.states import Status

log = logging.getLogger(__name__)

#: A request must not hang on a Redis that does not answer: the row is enough.
_TIMEOUT_SECONDS = 1.0


def submit(job: Job) -> None:
    """Deliver a queued job once the transaction that made it has committed."""
    transaction.on_commit(lambda: deliver(job), robust=True)


def deliver(job: Job) -> bool:
    """Put the job's id on its queue now.

    Returns:
        False where Redis is away: the row stays queued and the reconciler delivers it.
    """
    try:
        _queue(job.queue).enqueue_call(
            func=job.task,
            args=(str(job.pk),),
            job_id=delivery_id(job),
            timeout=-1,
            result_ttl=0,
            failure_ttl=3600,
        )
    except redis.RedisError as error:
        log.warning("Job %s waits in the database: Redis is away (%s)", job, type(error).__name__)
        return False
    return True


def delivery_id(job: Job) -> str:
    """Return RQ's id for the coming attempt: the same delivery twice has the same id."""
    return f"{job.slug}-{job.pk}-{job.attempt + 1}"


def is_delivered(job: Job) -> bool:
    """Tell whether RQ has this attempt in its list or at work.

    Raises:
        redis.RedisError: Redis is away.
    """
    queue = _queue(job.queue)
    return queue.connection.lpos(queue.key, delivery_id(job)) is not None


def cancel(job: Job) -> None:
    """Cancel a job at a person's wish; see `transitions.request_cancel`."""
    transitions.request_cancel(job)


def retry(job: Job) -> None:
    """Queue a failed or canceled job again; it goes on where its work can.

    Raises:
        UserError: `not_resumable`, it is active or succeeded.
    """
    fields: dict[str, Any] = {"losses": 0, "error": None, "cancel_requested_at": None}
    with transaction.atomic():
        if job.status not in {Status.FAILED, Status.CANCELED} or not transitions.move(
            job, Status.QUEUED, **fields
        ):
            raise UserError("not_resumable")
        submit(job)


def _queue(name: str) -> rq.Queue:
    connection = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
    )
    return get_queue(name, connection=connection, serializer=JSONSerializer)
