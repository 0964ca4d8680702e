"""Measures what the pictures and boxes of a version are like while they pass by, in little memory.

Sides of boxes are measured at the size at which models are trained by default: a box that is large
on a phone's photo may be a speck to the model.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from math import log
from typing import Any

from datasets.models import DatasetImage

#: Longer side of a picture as the model sees it, in pixels.
TRAINED_AT = 640
#: Box sides (square root of the area) from which a size begins; the outer two are COCO's.
SIZES = {"tiny": 0, "small": 8, "medium": 32, "large": 96}
#: Boxes a picture, from which a column begins.
COLUMNS = (0, 1, 2, 5, 10, 20, 50, 100)
#: Side of the grid on which centres of boxes are counted.
GRID = 8
#: Share of the picture from which a box is suspicious, and overlap from which two boxes are one.
_HUGE, _TWIN = 0.9, 0.9
_MOST_EXAMPLES, _MOST_SIZES = 10, 6
TINY, HUGE = "tiny", "huge"

#: Sides of pictures as people name them, width to height.
ASPECTS = ((1, 2), (9, 16), (2, 3), (3, 4), (1, 1), (4, 3), (3, 2), (16, 9), (2, 1))

#: [class_index, x1, y1, x2, y2] in pixels.
Row = Sequence[float]


class Health:
    """The measures of a version: `add` each image, then take `row`."""

    def __init__(self) -> None:
        self._boxes_a_picture: Counter[int] = Counter()
        self._box_sizes: Counter[str] = Counter()
        self._centres = [[0] * GRID for _ in range(GRID)]
        self._picture_sizes: Counter[tuple[int, int]] = Counter()
        self._shapes: Counter[str] = Counter()
        self._labelled: Counter[str] = Counter()
        self._suspicious: dict[str, list[Any]] = {}
        self._suspicions: Counter[str] = Counter()

    def add(self, image: DatasetImage) -> set[str]:
        """Measure an image, with its picture; return what is suspicious about its boxes."""
        found: set[str] = set()
        width, height = image.picture.width, image.picture.height
        self._picture_sizes[width, height] += 1
        self._shapes[_shape(width, height)] += 1
        self._labelled[image.split] += bool(image.boxes)
        self._boxes_a_picture[COLUMNS[bisect_right(COLUMNS, len(image.boxes)) - 1]] += 1
        for row in image.boxes:
            found |= self._measure(row, width, height)
        if twins(image.boxes):
            found.add("twins")
        for kind in found:
            self._suspect(kind, image)
        return found

    def row(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        sizes = self._picture_sizes.most_common(_MOST_SIZES)
        return {
            "labelled": {split: self._labelled[split] for split in DatasetImage.Split.values},
            "boxes_a_picture": [
                {"from": start, "pictures": self._boxes_a_picture[start]} for start in COLUMNS
            ],
            "box_sizes": [{"size": size, "boxes": self._box_sizes[size]} for size in SIZES],
            "centres": self._centres,
            "picture_sizes": [
                {"width": width, "height": height, "pictures": count}
                for (width, height), count in sizes
            ],
            "kinds_of_size": len(self._picture_sizes),
            "shapes": dict(self._shapes),
            "aspects": self._aspects(),
            "suspicious": {
                kind: {"pictures": self._suspicions[kind], "examples": examples}
                for kind, examples in self._suspicious.items()
            },
        }

    def _aspects(self) -> list[dict[str, Any]]:
        """Return the proportions that pictures have, each as the nearest one that has a name."""
        found: Counter[tuple[int, int]] = Counter()
        for (width, height), count in self._picture_sizes.items():
            found[_aspect(width, height)] += count
        return [
            {"aspect": f"{across}:{down}", "pictures": found[across, down]}
            for across, down in ASPECTS
            if found[across, down]
        ]

    def _measure(self, row: Row, width: int, height: int) -> set[str]:
        _, x1, y1, x2, y2 = row
        area = (x2 - x1) * (y2 - y1)
        self._box_sizes[_size(area, max(width, height))] += 1
        column = min(GRID - 1, int(GRID * (x1 + x2) / 2 / width))
        line = min(GRID - 1, int(GRID * (y1 + y2) / 2 / height))
        self._centres[line][column] += 1
        return {kind for kind in (TINY, HUGE) if is_suspicious(kind, row, width, height)}

    def _suspect(self, kind: str, image: DatasetImage) -> None:
        examples = self._suspicious.setdefault(kind, [])
        self._suspicions[kind] += 1
        if len(examples) < _MOST_EXAMPLES:
            examples.append({"image": str(image.pk), "file_name": image.file_name})


def _shape(width: int, height: int) -> str:
    if width == height:
        return "square"
    return "landscape" if width > height else "portrait"


def _aspect(width: int, height: int) -> tuple[int, int]:
    shape = log(width / height)
    return min(ASPECTS, key=lambda aspect: abs(log(aspect[0] / aspect[1]) - shape))


def _size(area: float, longest: int) -> str:
    side = area**0.5 * TRAINED_AT / longest
    return [size for size, start in SIZES.items() if side >= start][-1]


def is_suspicious(kind: str, row: Row, width: int, height: int) -> bool:
    """Tell whether a box is `tiny` at the size of the training, or `huge`, on such a picture."""
    area = (row[3] - row[1]) * (row[4] - row[2])
    if kind == TINY:
        return _size(area, max(width, height)) == TINY
    return area > _HUGE * width * height


def twins(rows: Sequence[Row]) -> list[Row]:
    """Return the boxes that lie on another one, of their class or of another; the second of two.

    From left to right, a box is compared with the few that begin near its left edge alone.
    """
    ordered = sorted(rows, key=lambda row: row[1])
    found: set[int] = set()
    for place, row in enumerate(ordered):
        if place in found:
            continue
        reach = row[1] + (1 - _TWIN) * (row[3] - row[1])
        for other in range(place + 1, len(ordered)):
            if ordered[other][1] > reach:
                break
            if other not in found and _overlap(row, ordered[other]) >= _TWIN:
                found.add(other)
    return [ordered[place] for place in sorted(found)]


def _overlap(one: Row, other: Row) -> float:
    """Return intersection over union."""
    width = min(one[3], other[3]) - max(one[1], other[1])
    height = min(one[4], other[4]) - max(one[2], other[2])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = ((row[3] - row[1]) * (row[4] - row[2]) for row in (one, other))
    return both / (sum(areas) - both)
