"""What an import adds to: the newest version of its dataset, whose pictures stay in the next."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from datasets import image_problems
from datasets.arrived import Arrived
from datasets.models import DatasetClass, DatasetImage, DatasetVersion, Import
from datasets.sources.base import Counted


@dataclass(frozen=True)
class Classes:
    """The classes of the next version.

    Attributes:
        names: those of the earlier version in their order, then what is new.
        index_of: the new index of each class of the source.
    """

    names: tuple[str, ...] = ()
    index_of: Mapping[int, int] = field(default_factory=dict)

    def relabelled(self, boxes: list[list[float]]) -> list[list[float]]:
        """Return rows [class_index, …] of the source with the new indexes."""
        return [[self.index_of[int(row[0])], *row[1:]] for row in boxes]


def earlier_version(job: Import) -> DatasetVersion | None:
    """Return the version that an import adds to; nothing where it replaces, or is the first."""
    if not job.adds:
        return None
    versions = DatasetVersion.objects.ready().filter(dataset=job.version.dataset_id)
    return versions.filter(number__lt=job.version.number).order_by("-number").first()


def joined_classes(earlier: DatasetVersion | None, names: Sequence[str]) -> Classes:
    """Return the classes of an earlier version and those of a source: equal names are one."""
    before = DatasetClass.objects.filter(version=earlier).order_by("index")
    places = {name: index for index, name in enumerate(before.values_list("name", flat=True))}
    index_of = {index: places.setdefault(name, len(places)) for index, name in enumerate(names)}
    return Classes(tuple(places), index_of)


@dataclass(frozen=True)
class Taken:
    """Some images of the earlier version as those of the next one.

    Attributes:
        images: not saved, with the boxes that they have, by the key of the earlier image.
        came_again: file names of pictures that the source brought too: its boxes count.
    """

    images: Mapping[UUID, DatasetImage]
    came_again: Sequence[str]


def taken_over(
    earlier: DatasetVersion, version: DatasetVersion, arrived: Arrived, *, own_split: bool
) -> Iterator[Taken]:
    """Yield the images of the earlier version in their order, and note them in `arrived`.

    Args:
        own_split: whether they bring their sides along, as the source does.
    """
    images = DatasetImage.objects.filter(version=earlier).select_related("picture")
    for chunk in images.in_chunks():
        taken: dict[UUID, DatasetImage] = {}
        came_again: list[str] = []
        for image in chunk:
            if image.picture.sha256 in arrived.items:
                came_again.append(image.file_name)
                continue
            taken[image.pk] = DatasetImage(
                version=version,
                picture=image.picture,
                position=len(arrived),
                file_name=image.file_name,
                split=image.split,
                boxes=image.boxes,
            )
            arrived.add(taken[image.pk], image.split if own_split else None)
        yield Taken(taken, came_again)


def note_problems(
    earlier: DatasetVersion, version: DatasetVersion, taken: Mapping[UUID, DatasetImage]
) -> None:
    """Write what was said of images that were taken over.

    Args:
        taken: by the key of the earlier image.
    """
    codes = image_problems.codes_of(earlier, taken)
    said = {taken[key].pk: image_problems.said(found) for key, found in codes.items()}
    image_problems.note(version, said)


@dataclass
class OwnCounts:
    """Counts what a source brought in, without what was there before.

    Attributes:
        first_earlier: the position from which images were taken over.
    """

    classes: Classes
    first_earlier: int
    images: int = 0
    _boxes: Counter[int] = field(default_factory=Counter)
    _shown: Counter[int] = field(default_factory=Counter)

    def add(self, images: Iterable[Any]) -> None:
        """Count images of the version."""
        for image in images:
            if image.position < self.first_earlier:
                self.images += 1
                counted = Counter(int(row[0]) for row in image.boxes)
                self._boxes.update(counted)
                self._shown.update(counted.keys())

    def counted(self) -> Counted:
        """Return what there is of each class of the source."""
        indexes = [self.classes.index_of[index] for index in sorted(self.classes.index_of)]
        return Counted(
            images=self.images,
            boxes=tuple(self._boxes[index] for index in indexes),
            images_with=tuple(self._shown[index] for index in indexes),
        )
