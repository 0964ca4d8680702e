"""Doorbells: best-effort hints that a job's story has grown. Facts never travel on them."""

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

if TYPE_CHECKING:
    from jobs.models import Job

log = logging.getLogger(__name__)

#: At most four doorbells a second for each job and process; readers poll for what is left out.
MINIMUM_INTERVAL = 0.25

_last_rung: dict[str, float] = {}
_lock = threading.Lock()


def group_of(slug: str, job_id: object) -> str:
    """Return the channel group of one job."""
    return f"job.{slug}.{job_id}"


def ring(job: "Job") -> None:
    """Tell the readers of a job that there is something new; never raises, never waits long."""
    group = group_of(job.slug, job.pk)
    if _rang_lately(group) and job.is_active:
        return
    message: dict[str, Any] = {"type": "doorbell", "last_seq": job.last_seq}
    try:
        async_to_sync(get_channel_layer().group_send)(group, message)
    except Exception:
        log.debug("No doorbell for %s", group, exc_info=True)


def _rang_lately(group: str) -> bool:
    now = time.monotonic()
    with _lock:
        if now - _last_rung.get(group, -1.0) < MINIMUM_INTERVAL:
            return True
        if len(_last_rung) > 1000:
            _last_rung.clear()
        _last_rung[group] = now
        return False
