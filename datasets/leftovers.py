"""Removes uploads that nobody comes back for, and what killed processes left half-written."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.dispatch import receiver
from django.utils import timezone

from datasets import arriving, copies
from datasets.models import Import, uploads_storage
from jobs.housekeeping import housekeeping
from jobs.states import Status
from storage.leftovers import OLD, sweep_halves

#: How long an upload waits for another try after we failed.
_KEPT = timedelta(days=7)


@receiver(housekeeping)
def _keep_house(**_: Any) -> None:
    sweep_halves()
    remove_spent_uploads()
    remove_unowned_uploads()
    arriving.remove_expired()
    copies.sweep()


def remove_spent_uploads() -> None:
    """Remove uploads that were to go when their import ended, where a worker died before it did.

    Of imports that failed through our fault after a while too.
    """
    ended = Q(status__in=[Status.SUCCEEDED, Status.CANCELED])
    ended |= Q(status=Status.FAILED, finished_at__lt=timezone.now() - _KEPT)
    for job in Import.objects.filter(ended).exclude(file=""):
        job.drop_upload()


def remove_unowned_uploads(*, older_than: timedelta = OLD) -> int:
    """Remove uploads without an import: who took them was killed before there was a row.

    Returns:
        How many there were.
    """
    storage, old = uploads_storage(), timezone.now() - older_than
    files = dict(_uploads())
    owned = set(Import.objects.filter(pk__in=files.values()).values_list("pk", flat=True))
    gone = [name for name, import_id in files.items() if import_id not in owned]
    gone = [name for name in gone if storage.get_modified_time(name) <= old]
    for name in gone:
        storage.delete(name)
    return len(gone)


def _uploads() -> Iterator[tuple[str, UUID]]:
    """Yield each stored upload with the id of the import that it is for."""
    with suppress(FileNotFoundError):
        for name in uploads_storage().listdir("imports")[1]:
            with suppress(ValueError):  # not ours
                yield f"imports/{name}", UUID(name.removesuffix(".zip"))
