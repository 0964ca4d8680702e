"""Picks some boxes of each class to be shown as crops, so that a mixed-up class order is seen."""

from bisect import insort
from collections.abc import Sequence
from typing import Any

from datasets.models import DatasetImage

#: Crops of a class.
MOST = 8
#: Sides that a crop has at least on the thumbnail, to be told by the eye; in its pixels.
_LEGIBLE, _THUMBNAIL = 24, 320

#: [class_index, x1, y1, x2, y2] in pixels.
Row = Sequence[float]
#: What is picked first sorts first: legible ones, then by the picture's digest, which is as good as
#: drawn by lot and the same at every import.
_Pick = tuple[bool, str, list[Any]]


class ClassExamples:
    """Some boxes of each class, in the memory of these alone: `add` each image, then ask."""

    def __init__(self) -> None:
        self._picks: dict[int, list[_Pick]] = {}

    def add(self, image: DatasetImage) -> None:
        """Look at an image, with its picture: the largest box of each class may be picked."""
        largest: dict[int, Row] = {}
        for row in image.boxes:
            index = int(row[0])
            if index not in largest or _area(row) > _area(largest[index]):
                largest[index] = row
        scale = _THUMBNAIL / max(image.picture.width, image.picture.height)
        for index, row in largest.items():
            is_small = min(row[3] - row[1], row[4] - row[2]) * scale < _LEGIBLE
            self._pick(index, (is_small, image.picture.sha256, [str(image.pk), *row[1:]]))

    def of(self, index: int) -> list[list[Any]]:
        """Return the picked boxes of a class as rows [image, x1, y1, x2, y2] in pixels."""
        return [row for *_, row in self._picks.get(index, [])]

    def _pick(self, index: int, pick: _Pick) -> None:
        picks = self._picks.setdefault(index, [])
        if len(picks) < MOST or pick < picks[-1]:
            insort(picks, pick)
            del picks[MOST:]


def _area(row: Row) -> float:
    return (row[3] - row[1]) * (row[4] - row[2])
