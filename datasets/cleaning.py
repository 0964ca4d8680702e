"""Removes what nobody needs any more: pictures that no version uses.

A picture's row is there before its files are (picture_store.py), so that rows tell of every file.
Rows and files go together under the project's lock, and only while no import of the project is on:
an import begins under the same lock (services.py), and may be about to use any picture.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from datasets.models import Import, Picture, images_storage
from projects.models import Project

_BATCH = 100


def remove_unused_pictures(project_id: Any) -> int:
    """Remove the pictures of a project that no version uses; return how many.

    None while an import of the project is on: its end calls this again.
    """
    removed = 0
    while batch := _remove_some(project_id):
        removed += batch
    return removed


def _remove_some(project_id: Any) -> int:
    with transaction.atomic():
        if not _is_quiet(project_id):
            return 0
        unused = Picture.objects.filter(project=project_id, uses__isnull=True)
        # Fetched for an import that was cut off: the next one goes on with them.
        unused = unused.exclude(remotes__keep_until__gt=timezone.now())
        pictures = list(unused[:_BATCH])
        Picture.objects.filter(pk__in=[picture.pk for picture in pictures]).delete()
        _delete_files(pictures)
    return len(pictures)


def forget_files(project_id: Any, pictures: Iterable[Picture]) -> None:
    """Remove the files of pictures whose rows went away before the files were there."""
    with transaction.atomic():
        if not _is_quiet(project_id):
            return
        by_digest = {picture.sha256: picture for picture in pictures}
        rows = Picture.objects.filter(project=project_id, sha256__in=by_digest)
        for known in rows.values_list("sha256", flat=True):
            del by_digest[known]
        _delete_files(by_digest.values())


def _is_quiet(project_id: Any) -> bool:
    """Lock the project and tell whether no import is on in it."""
    Project.objects.select_for_update(no_key=True).filter(pk=project_id).first()
    return not Import.objects.filter(project=project_id).active().exists()


def _delete_files(pictures: Iterable[Picture]) -> None:
    for picture in pictures:
        images_storage().delete(str(picture.file))
        images_storage().delete(str(picture.thumbnail))
