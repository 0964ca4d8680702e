"""What a worker makes of a delivery: a task of ours and the id of a row, or nothing at all.

Whoever can write to Redis could name any function there; only the tasks of our own jobs are run,
with nothing but an id.
"""

import logging
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django.db import close_old_connections
from django.utils.module_loading import import_string
from rq.exceptions import DeserializationError

from jobs.registry import job_models

log = logging.getLogger(__name__)


def preload(queues: Iterable[str]) -> None:
    """Import the tasks of some queues now, so that no child has to do it for each job."""
    for model in job_models():
        if model.queue in queues:
            import_string(model.task)


def task_in(delivery: Any) -> Callable[[], None] | None:
    """Return what an RQ job asks for, ready to be called, or None where it is not ours."""
    try:
        name, arguments = delivery.func_name, delivery.args
        job_id = str(uuid.UUID(*arguments))
    except (DeserializationError, TypeError, ValueError, AttributeError):
        log.error("Refused a delivery that cannot be read: %s", delivery.id)
        return None
    if delivery.kwargs or delivery.instance or name not in {model.task for model in job_models()}:
        log.error("Refused a delivery of an unknown task: %s", delivery.id)
        return None

    def call() -> None:
        close_old_connections()
        import_string(name)(job_id)

    return call
