"""Waits in a request for a job that is expected to end soon."""

import threading
import time

from django.conf import settings

from jobs.events import Doorbell
from jobs.models import Job
from jobs.states import ACTIVE

#: Without a doorbell (Redis is away, or lost one) the database is asked this often.
_LOOK_SECONDS = 0.25
#: Half of the threads may wait; whoever comes then is told at once to ask later.
_places = threading.BoundedSemaphore(settings.REQUEST_THREADS // 2)


def wait_for(job: Job, seconds: float) -> bool:
    """Return whether the job has ended within so many seconds.

    The doorbell only says when to look: the database is the truth.
    """
    if seconds <= 0 or not _places.acquire(blocking=False):
        return _is_over(job)
    try:
        with Doorbell(job) as bell:
            deadline = time.monotonic() + seconds
            while not _is_over(job):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                bell.wait(min(left, _LOOK_SECONDS))
            return True
    finally:
        _places.release()


def _is_over(job: Job) -> bool:
    rows = type(job)._default_manager.filter(pk=job.pk).values_list("status", flat=True)
    return rows.first() not in ACTIVE
