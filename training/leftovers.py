"""Removes weights that no row names: who stored them was killed, or lost the run, before that.

Only in the folders of runs that changed lately, or are not there any more: what lies beside an old
run was looked at when that was new. What belongs to no run at all stays for a month: the database
may have been put back to an older state by mistake.
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
#: How long weights of a run that the database does not know are kept.
_UNKNOWN = timedelta(days=30)


@receiver(housekeeping)
def _keep_house(**_: Any) -> None:
    remove_unowned_weights()


def remove_unowned_weights(*, older_than: timedelta = OLD, of_no_run: timedelta = _UNKNOWN) -> int:
    """Remove old checkpoints that no row names; return of how many.

    Args:
        older_than: how old those in the folder of a known run have to be.
        of_no_run: and those of a run that is not there.
    """
    storage, now = weights_storage(), timezone.now()
    settled = Q(finished_at__isnull=False, finished_at__lt=now - _LATELY)
    looked_at = set(TrainingRun.objects.filter(settled).values_list("pk", flat=True))
    known = set(TrainingRun.objects.values_list("pk", flat=True))
    removed = 0
    for run_id in set(_folders()) - looked_at:
        age = older_than if run_id in known else of_no_run
        found = {f"{_FOLDER}/{run_id}/{name}" for name in storage.listdir(f"{_FOLDER}/{run_id}")[1]}
        # The rows after the files: a file comes before its row.
        owned = set(Checkpoint.objects.filter(run=run_id).values_list("file", flat=True))
        for name in found - owned:
            if storage.get_modified_time(name) <= now - age:
                storage.delete(name)
                removed += 1
    return removed


def _folders() -> Iterator[UUID]:
    """Yield the runs for which there are weights."""
    with suppress(FileNotFoundError):
        for name in weights_storage().listdir(_FOLDER)[0]:
            with suppress(ValueError):  # not ours
                yield UUID(name)
