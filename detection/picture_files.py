"""Where pictures of detections lie: a folder for each detection, so that all of it goes with it.

    detections/<detection>/<picture>                 as it came in, until it was looked at
    detections/<detection>/<picture>.jpg or .png     the safe form, upright
    detections/<detection>/<picture>-thumbnail.jpg   for strips and lists
    detections/<detection>/<picture>-preview.jpg     of a large one: what annotations are drawn on

A row names one file only, and a worker that dies names none of those it wrote: hence the folder.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.files.storage import Storage
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from detection.models import Detection, DetectionImage, detections_storage
from projects.deletion import remove_files

#: Longest side on which annotations are drawn: enough for any screen, and it bounds the memory.
PREVIEW_SIDE = 1600
#: A JPEG may be coded such that its coefficients are needed all at once: 6 bytes a pixel.
_MOST_JPEG_PIXELS = 16_000_000
_MOST_OTHER_PIXELS = 4_000_000
_ROOT = "detections"


@dataclass(frozen=True)
class DerivedFile:
    """A file that was made of a picture; it has no field of its own."""

    name: str
    storage: Storage


def came_in_name(image: DetectionImage) -> str:
    """Return the name of a picture as it came in; nothing in it is trusted."""
    return f"{_folder(image.detection_id)}/{image.pk}"


def safe_name(image: DetectionImage, suffix: str) -> str:
    """Return the name of a picture's safe form."""
    return f"{came_in_name(image)}{suffix}"


def thumbnail_of(image: DetectionImage) -> DerivedFile:
    """Return the small form of a picture."""
    return DerivedFile(f"{came_in_name(image)}-thumbnail.jpg", detections_storage())


def preview_of(image: DetectionImage) -> DerivedFile:
    """Return what annotations of a large picture are drawn on."""
    return DerivedFile(f"{came_in_name(image)}-preview.jpg", detections_storage())


def needs_preview(width: int, height: int, suffix: str) -> bool:
    """Tell whether a picture is too large to be decoded where it is asked for.

    A JPEG is decoded at a part of its size, so that only a very large one costs much; most photos
    need no preview then, and detecting on them no time for one.
    """
    most = _MOST_JPEG_PIXELS if suffix == ".jpg" else _MOST_OTHER_PIXELS
    return width * height > most


def remove_pictures(detection_id: UUID) -> None:
    """Remove every file of a detection, whoever wrote it and whatever its rows name."""
    storage = detections_storage()
    remove_files([(storage, name) for name in _files(detection_id)])
    with suppress(OSError):  # a worker may just be writing; it looks for its row afterwards
        storage.delete(_folder(detection_id))


def remove_if_gone(detection_id: UUID) -> None:
    """Remove what a worker wrote for a detection that was deleted meanwhile."""
    if not Detection.objects.filter(pk=detection_id).exists():
        remove_pictures(detection_id)


def detections_stored() -> list[UUID]:
    """Return the ids of all detections that have a folder, whether there is a row or not."""
    found = []
    with suppress(FileNotFoundError):
        for name in detections_storage().listdir(_ROOT)[0]:
            with suppress(ValueError):  # not ours
                found.append(UUID(name))
    return found


def are_older(detection_id: UUID, moment: datetime) -> bool:
    """Tell whether every file of a detection, or its empty folder, is from before a moment."""
    storage, names = detections_storage(), _files(detection_id) or [_folder(detection_id)]
    with suppress(FileNotFoundError):  # it is just being removed
        return all(storage.get_modified_time(name) < moment for name in names)
    return False


@receiver(post_delete, sender=Detection)
def _remove_with_the_row(instance: Detection, using: str, **_: Any) -> None:
    """Remove the files however the row went: by itself, with its model or with its project."""
    detection_id = instance.pk
    transaction.on_commit(lambda: remove_pictures(detection_id), using=using, robust=True)


def _files(detection_id: UUID) -> list[str]:
    folder = _folder(detection_id)
    try:
        return [f"{folder}/{name}" for name in detections_storage().listdir(folder)[1] if name]
    except FileNotFoundError:
        return []


def _folder(detection_id: UUID) -> str:
    return f"{_ROOT}/{detection_id}"
