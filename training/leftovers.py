"""Removes weights that no row names: who stored them was killed, or lost the run, before that.

Only in the folders of runs that changed lately, or are not there any more: what lies beside an old
run was looked at when that was new.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.dispatch import receiver
from django.utils import timezone

from jobs.housekeeping import housekeeping
from storage.leftovers import OLD
from training.models import Checkpoint, TrainingRun, weights_storage

_FOLDER = "runs"
#: Longer than what is left lies there before it counts as old.
_LATELY = 3 * OLD


@receiver(housekeeping)
def _keep_house(**_: Any) -> None:
    remove_unowned_weights()


def remove_unowned_weights(*, older_than: timedelta = OLD) -> int:
    """Remove old checkpoints that no row names; return of how many."""
    storage, now = weights_storage(), timezone.now()
    settled = Q(finished_at__isnull=False, finished_at__lt=now - _LATELY)
    looked_at = set(TrainingRun.objects.filter(settled).values_list("pk", flat=True))
    removed = 0
    for run_id in set(_folders()) - looked_at:
        found = {f"{_FOLDER}/{run_id}/{name}" for name in storage.listdir(f"{_FOLDER}/{run_id}")[1]}
        # The rows after the files: a file comes before its row.
        owned = set(Checkpoint.objects.filter(run=run_id).values_list("file", flat=True))
        for name in found - owned:
            if storage.get_modified_time(name) <= now - older_than:
                storage.delete(name)
                removed += 1
    return removed


def _folders() -> Iterator[UUID]:
    """Yield the runs for which there are weights."""
    with suppress(FileNotFoundError):
        for name in weights_storage().listdir(_FOLDER)[0]:
            with suppress(ValueError):  # not ours
                yield UUID(name)
