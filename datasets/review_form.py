"""The form in which people check classes and labels: what it shows, and what it was told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from datasets.class_edit import ClassChange, alike
from datasets.editing import Edit
from datasets.gallery import COLOURS
from datasets.models import DatasetClass, DatasetImage, DatasetVersion
from datasets.names import LONGEST_CLASS
from datasets.repairs import CHOICES, checked

#: Crops on a page, and at most of one class: a page with many classes stays a page.
_MOST_CROPS, _MOST_OF_CLASS = 240, 6
#: What a crop shows around its box, in shares of the box's longer side.
_MARGIN = 0.1


@dataclass(frozen=True)
class Crop:
    """A box of a class, shown as a part of its picture's thumbnail.

    Attributes:
        image: with its picture.
        view: x, y, side and side of the square that is shown, in pixels of the picture.
    """

    image: Any
    view: tuple[float, float, float, float]


@dataclass(frozen=True)
class ClassLine:
    """A class as the form shows it.

    Attributes:
        row: as it is.
        name: as it is to be.
        alike: the name of another class that may be meant to be the same one.
    """

    row: DatasetClass
    name: str
    is_dropped: bool
    alike: str
    crops: Sequence[Crop]

    @property
    def css(self) -> str:
        """The class that carries its colour."""
        return f"class-{self.row.index % COLOURS}"


def edit_of(post: QueryDict) -> Edit:
    """Return what the form was told.

    Raises:
        UserError: `repair_unknown`.
    """
    dropped = set(post.getlist("drop"))
    lines = zip(post.getlist("class"), post.getlist("name"), strict=False)
    repairs = [
        (code, str(post[f"repair-{code}"])) for code in CHOICES if post.get(f"repair-{code}")
    ]
    return Edit(
        classes=tuple(
            # An index that is none is found where all of them must be named.
            ClassChange(int(index) if index.isdecimal() else -1, name, index in dropped)
            for index, name in lines
        ),
        repairs=checked(repairs),
    )


def class_lines(version: DatasetVersion, edit: Edit | None = None) -> list[ClassLine]:
    """Return the classes of a version, as they are or as an edit that failed has them."""
    rows = {row.index: row for row in DatasetClass.objects.filter(version=version)}
    changes = [ClassChange(index, row.name) for index, row in rows.items()]
    if edit and {change.index for change in edit.classes} == set(rows):
        changes = list(edit.classes)
    crops = _crops(rows.values())
    same = alike([rows[index].name for index in sorted(rows)])
    return [
        ClassLine(
            row=rows[change.index],
            name=change.name[:LONGEST_CLASS],
            is_dropped=change.drop,
            alike=same.get(change.index, ""),
            crops=crops.get(change.index, ()),
        )
        for change in changes
    ]


def _crops(rows: Iterable[DatasetClass]) -> dict[int, list[Crop]]:
    """Return some boxes of each class, by one query for all pictures."""
    rows = list(rows)
    each = min(_MOST_OF_CLASS, max(1, _MOST_CROPS // max(1, len(rows))))
    picked = {row.index: row.examples[:each] for row in rows[:_MOST_CROPS]}
    wanted = {image for examples in picked.values() for image, *_ in examples}
    images = DatasetImage.objects.filter(pk__in=wanted).select_related("picture")
    found = {str(image.pk): image for image in images}
    return {
        index: [Crop(found[key], _view(*corners)) for key, *corners in examples if key in found]
        for index, examples in picked.items()
    }


def _view(x1: float, y1: float, x2: float, y2: float) -> tuple[float, float, float, float]:
    """Return a square around a box: x, y, side, side."""
    side = max(x2 - x1, y2 - y1) * (1 + 2 * _MARGIN)
    return ((x1 + x2 - side) / 2, (y1 + y2 - side) / 2, side, side)
