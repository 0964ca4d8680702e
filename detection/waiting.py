"""Waits in a request for a job that is expected to end soon."""

import time

from jobs.models import Job
from jobs.states import ACTIVE

#: The first looks come quickly, for one picture on a warm model; later ones spare the database.
_FIRST_SECONDS = 0.005
_LONGEST_SECONDS = 0.25


def wait_for(job: Job, seconds: float) -> bool:
    """Return whether the job has ended within so many seconds.

    The database is asked and not Redis: it is the truth, and it is there when Redis is not.
    """
    deadline = time.monotonic() + seconds
    pause = _FIRST_SECONDS
    rows = type(job)._default_manager.filter(pk=job.pk).values_list("status", flat=True)
    while True:
        status = rows.first()
        if status not in ACTIVE:
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(pause * 1.25, _LONGEST_SECONDS)
