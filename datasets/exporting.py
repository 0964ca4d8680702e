"""What every format of an export needs of a version."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.db.models import Exists, OuterRef

from datasets.image_problems import UNLABELLED
from datasets.models import DatasetImage, DatasetVersion, ImageProblem
from storage.local import stored_chunks


def splits_of(version: DatasetVersion) -> list[str]:
    """Return the splits that hold pictures."""
    return [split for split in DatasetImage.Split.values if getattr(version, f"{split}_images")]


def has_unlabelled(version: DatasetVersion) -> bool:
    """Tell whether nobody knows what is on some of its pictures."""
    return ImageProblem.objects.filter(version=version, code=UNLABELLED).exists()


def images_of(version: DatasetVersion, split: str = "") -> Iterator[Any]:
    """Yield the images of a version, or of one split, in their order, a chunk in memory.

    Each says by `is_labelled` whether anybody knows what is on it. A picture of which nobody does
    goes without a label: an empty one would say that nothing is on it.
    """
    problems = ImageProblem.objects.filter(version=version, code=UNLABELLED, image=OuterRef("pk"))
    rows = DatasetImage.objects.filter(version=version).select_related("picture")
    rows = rows.annotate(is_labelled=~Exists(problems))
    return chain.from_iterable((rows.filter(split=split) if split else rows).in_chunks())


def picture_chunks(image: DatasetImage) -> Iterator[bytes]:
    """Return the bytes of a picture, read when they are asked for."""
    file: Any = image.picture.file
    return stored_chunks(file.storage, file.name)
