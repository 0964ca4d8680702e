"""Removes the rows of workers that were lost long ago."""

from typing import Any

from django.dispatch import receiver

from jobs.housekeeping import housekeeping
from jobs.worker_rows import Worker


@receiver(housekeeping)
def remove_lost_workers(**_: Any) -> None:
    """Remove workers of which nothing was heard for a day; one that comes back has a new row."""
    Worker.objects.gone().delete()
