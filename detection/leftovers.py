"""Removes pictures without a detection: who stored them was killed before there was a row."""

from datetime import timedelta
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from detection import picture_files
from detection.models import Detection
from jobs.housekeeping import housekeeping
from storage.leftovers import OLD

_BATCH = 500


@receiver(housekeeping)
def _keep_house(**_: Any) -> None:
    remove_unowned_pictures()


def remove_unowned_pictures(*, older_than: timedelta = OLD) -> int:
    """Remove the files of detections that are not there; return of how many."""
    stored, old, removed = picture_files.detections_stored(), timezone.now() - older_than, 0
    for start in range(0, len(stored), _BATCH):
        ids = stored[start : start + _BATCH]
        known = set(Detection.objects.filter(pk__in=ids).values_list("pk", flat=True))
        for detection_id in set(ids) - known:
            if picture_files.are_older(detection_id, old):
                picture_files.remove_pictures(detection_id)
                removed += 1
    return removed
