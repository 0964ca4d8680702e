"""What is different between two versions of a dataset: pictures, boxes, classes."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from datasets.models import DatasetClass, DatasetImage, DatasetVersion

_CHUNK = 2000
#: Pictures of each kind that are shown.
_MOST_EXAMPLES = 12

#: What an image says: class names with their boxes, whatever the order and the indexes.
Said = frozenset[tuple[str, tuple[float, ...], int]]


@dataclass(frozen=True)
class ClassChange:
    """A class in both versions: its boxes before and now; None where it is not there."""

    name: str
    before: int | None
    now: int | None

    @property
    def difference(self) -> int:
        """How many boxes there are more now."""
        return (self.now or 0) - (self.before or 0)


@dataclass
class Pictures:
    """Some pictures: how many, and the first of them."""

    count: int = 0
    examples: list[UUID] = field(default_factory=list)

    def add(self, image_id: UUID) -> None:
        """Count a picture."""
        self.count += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(image_id)


@dataclass
class Comparison:
    """How a version differs from an earlier one.

    Attributes:
        added: images of the later version whose picture the earlier one has not.
        removed: images of the earlier version whose picture the later one has not.
        relabelled: images of the later version with other boxes or classes.
        moved: images of the later version on another side of the split.
        same: how many images are in both alike.
        classes: all of both, in the order of the later version.
    """

    added: Pictures = field(default_factory=Pictures)
    removed: Pictures = field(default_factory=Pictures)
    relabelled: Pictures = field(default_factory=Pictures)
    moved: Pictures = field(default_factory=Pictures)
    same: int = 0
    classes: list[ClassChange] = field(default_factory=list)


def compare(before: DatasetVersion, now: DatasetVersion) -> Comparison:
    """Compare two versions whose pictures are of one project.

    Pictures are the same by their content. Memory holds some thousand images at a time.
    """
    found = Comparison(classes=_classes(before, now))
    found.added = _only_in(now, before)
    found.removed = _only_in(before, now)
    names = {version.pk: _names(version) for version in (before, now)}
    shared = _images(now).filter(Exists(_same_picture(before)))
    for chunk in shared.in_chunks(_CHUNK):
        earlier = _images(before).filter(picture__in=[image.picture_id for image in chunk])
        known = {image.picture_id: image for image in earlier}
        for image in chunk:
            _compare_one(found, known[image.picture_id], image, names)
    return found


def _compare_one(
    found: Comparison,
    before: DatasetImage,
    now: DatasetImage,
    names: dict[UUID, dict[int, str]],
) -> None:
    is_relabelled = _said(before, names) != _said(now, names)
    is_moved = before.split != now.split
    if is_relabelled:
        found.relabelled.add(now.pk)
    if is_moved:
        found.moved.add(now.pk)
    found.same += not (is_relabelled or is_moved)


def _said(image: DatasetImage, names: dict[UUID, dict[int, str]]) -> Said:
    """Return the boxes by the names of their classes; one that is there twice counts twice."""
    of = names[image.version_id]
    rows = Counter((of[int(row[0])], tuple(row[1:])) for row in image.boxes)
    return frozenset((name, box, count) for (name, box), count in rows.items())


def _only_in(version: DatasetVersion, other: DatasetVersion) -> Pictures:
    rows = DatasetImage.objects.filter(~Exists(_same_picture(other)), version=version)
    first = rows.order_by("position").values_list("pk", flat=True)[:_MOST_EXAMPLES]
    return Pictures(rows.count(), list(first))


def _same_picture(version: DatasetVersion) -> Any:
    return DatasetImage.objects.filter(version=version, picture=OuterRef("picture")).order_by()


def _images(version: DatasetVersion) -> Any:
    wanted = ("pk", "version_id", "picture_id", "position", "split", "boxes")
    return DatasetImage.objects.filter(version=version).only(*wanted)


def _names(version: DatasetVersion) -> dict[int, str]:
    rows = DatasetClass.objects.filter(version=version)
    return dict(rows.values_list("index", "name"))


def _classes(before: DatasetVersion, now: DatasetVersion) -> list[ClassChange]:
    """Return the classes of the later version, then those that only the earlier one has."""
    boxes = {
        version.pk: dict(DatasetClass.objects.filter(version=version).values_list("name", "boxes"))
        for version in (before, now)
    }
    names = dict.fromkeys([*boxes[now.pk], *boxes[before.pk]])
    return [
        ClassChange(name, boxes[before.pk].get(name), boxes[now.pk].get(name)) for name in names
    ]
