"""Removes stored files of trainings that no row names, and checkpoints that nobody needs any more.

Who stored a file was killed, or lost the run, before there was a row. Only the folders of runs that
changed lately are looked at, or of those that are not there any more: what lies beside an old run
was looked at when that was new. What belongs to no run at all stays for a month: the database may
have been put back to an older state by mistake.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.files.storage import Storage
from django.db.models import Model, Q
from django.dispatch import receiver
from django.utils import timezone

from jobs.housekeeping import housekeeping
from jobs.states import Status
from storage.leftovers import OLD
from training import checkpoints
from training.models import (
    Artifact,
    Checkpoint,
    TrainedModel,
    TrainingRun,
    artifacts_storage,
    weights_storage,
)

_FOLDER = "runs"
_MODELS = "models"
#: Longer than what is left lies there before it counts as old.
_LATELY = 3 * OLD
_MONTH = timedelta(days=30)
#: Checkpoints that one look removes: each is a call to the storage.
_AT_ONCE = 200


@receiver(housekeeping)
def _keep_house(**_: Any) -> None:
    remove_unowned_weights()
    remove_unowned_artifacts()
    remove_unowned_models()
    remove_old_checkpoints()


def remove_unowned_weights(*, older_than: timedelta = OLD, of_no_run: timedelta = _MONTH) -> int:
    """Remove old checkpoints that no row names; return of how many.

    Args:
        older_than: how old those in the folder of a known run have to be.
        of_no_run: and those of a run that is not there.
    """
    return _remove_unowned(weights_storage(), Checkpoint, older_than, of_no_run)


def remove_unowned_artifacts(*, older_than: timedelta = OLD, of_no_run: timedelta = _MONTH) -> int:
    """Remove old plots and tables that no row names, as `remove_unowned_weights` does."""
    return _remove_unowned(artifacts_storage(), Artifact, older_than, of_no_run)


def remove_unowned_models(*, older_than: timedelta = _MONTH) -> int:
    """Remove the weights of models that were never registered; return of how many."""
    storage, old = weights_storage(), timezone.now() - older_than
    found = {f"{_MODELS}/{name}" for name in _listed(storage, _MODELS)[1]}
    # The rows after the files: a file comes before its row.
    unowned = found - set(TrainedModel.objects.values_list("file", flat=True))
    gone = [name for name in unowned if storage.get_modified_time(name) <= old]
    for name in gone:
        storage.delete(name)
    return len(gone)


def remove_old_checkpoints(*, older_than: timedelta = _MONTH) -> int:
    """Remove what runs could go on from that succeeded long ago: their models stay.

    Returns:
        How many there were.
    """
    succeeded = Q(run__status=Status.SUCCEEDED, run__finished_at__lt=timezone.now() - older_than)
    old = Checkpoint.objects.filter(succeeded, kind=Checkpoint.Kind.LAST)[:_AT_ONCE]
    for checkpoint in old:
        checkpoints.remove(checkpoint)
    return len(old)


def _remove_unowned(
    storage: Storage, model: type[Model], older_than: timedelta, of_no_run: timedelta
) -> int:
    now = timezone.now()
    settled = Q(finished_at__isnull=False, finished_at__lt=now - _LATELY)
    looked_at = set(TrainingRun.objects.filter(settled).values_list("pk", flat=True))
    known = set(TrainingRun.objects.values_list("pk", flat=True))
    removed = 0
    for run_id in set(_runs(storage)) - looked_at:
        folder = f"{_FOLDER}/{run_id}"
        age = older_than if run_id in known else of_no_run
        found = {f"{folder}/{name}" for name in _listed(storage, folder)[1]}
        # The rows after the files: a file comes before its row.
        rows = model._default_manager.filter(run=run_id)
        for name in found - set(rows.values_list("file", flat=True)):
            if storage.get_modified_time(name) <= now - age:
                storage.delete(name)
                removed += 1
    return removed


def _runs(storage: Storage) -> Iterator[UUID]:
    """Yield the runs for which something is stored."""
    for name in _listed(storage, _FOLDER)[0]:
        with suppress(ValueError):  # not ours
            yield UUID(name)


def _listed(storage: Storage, folder: str) -> tuple[list[str], list[str]]:
    with suppress(FileNotFoundError):
        return storage.listdir(folder)
    return [], []
