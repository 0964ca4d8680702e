"""What every format of an export needs of a version."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from datasets.models import DatasetImage, DatasetVersion
from storage.local import stored_chunks


def splits_of(version: DatasetVersion) -> list[str]:
    """Return the splits that hold pictures."""
    return [split for split in DatasetImage.Split.values if getattr(version, f"{split}_images")]


def images_of(version: DatasetVersion, split: str = "") -> Iterator[DatasetImage]:
    """Yield the images of a version, or of one split, in their order, a chunk in memory."""
    rows = DatasetImage.objects.filter(version=version).select_related("picture")
    return chain.from_iterable((rows.filter(split=split) if split else rows).in_chunks())


def picture_chunks(image: DatasetImage) -> Iterator[bytes]:
    """Return the bytes of a picture, read when they are asked for."""
    file: Any = image.picture.file
    return stored_chunks(file.storage, file.name)
