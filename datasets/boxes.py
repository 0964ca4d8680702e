"""Boxes as plain numbers: turned with their picture, compared, brought to pixels."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Box(NamedTuple):
    """An object: its class and its corners as shares of the picture's width and height."""

    class_index: int
    x1: float
    y1: float
    x2: float
    y2: float


class CutBox(Box):
    """What lies in the picture of a box that reached out of it."""

    __slots__ = ()


#: What one picture may have.
MAX_BOXES = 10_000
#: A difference below this is the rounding of whoever wrote the label; what a stored box tells apart
#: in the largest picture (a hundredth of a pixel in 20,000) is more.
_EQUAL_DIGITS = 7
_PIXEL_DIGITS = 2


def turned(box: Box, orientation: int) -> Box:
    """Return a box of the stored picture as a box of the upright one.

    Args:
        box: of the pixels as they are stored.
        orientation: the EXIF value, 1 to 8, by which the picture is turned upright.
    """
    first = _turned_point(box.x1, box.y1, orientation)
    second = _turned_point(box.x2, box.y2, orientation)
    left, right = sorted((first[0], second[0]))
    top, bottom = sorted((first[1], second[1]))
    return Box(box.class_index, left, top, right, bottom)


def _turned_point(x: float, y: float, orientation: int) -> tuple[float, float]:
    if orientation in {2, 3}:
        x = 1 - x
    if orientation in {3, 4}:
        y = 1 - y
    if orientation in {5, 6, 7, 8}:
        x, y = y, x
    if orientation in {6, 7}:
        x = 1 - x
    if orientation in {7, 8}:
        y = 1 - y
    return x, y


def rounded(box: Box) -> tuple[float, ...]:
    """Return what two equal boxes have in common."""
    return (box.class_index, *(round(value, _EQUAL_DIGITS) for value in box[1:]))


def in_pixels(boxes: Iterable[Box], width: int, height: int) -> list[list[float]]:
    """Return rows [class_index, x1, y1, x2, y2] in pixels, as an image's row stores them."""
    return [
        [
            box.class_index,
            round(box.x1 * width, _PIXEL_DIGITS),
            round(box.y1 * height, _PIXEL_DIGITS),
            round(box.x2 * width, _PIXEL_DIGITS),
            round(box.y2 * height, _PIXEL_DIGITS),
        ]
        for box in boxes
    ]


def distinct(rows: Iterable[list[float]]) -> tuple[list[list[float]], Counter[str]]:
    """Return rows that a file can hold and give back: with an area, and equal ones once.

    Boxes may lose the one and come to be the other where they are rounded to pixels, or where two
    classes become one.

    Args:
        rows: [class_index, x1, y1, x2, y2] in pixels.

    Returns:
        The rows, and how many were left out by the code of the reason.
    """
    kept: dict[tuple[float, ...], list[float]] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        if row[1] >= row[3] or row[2] >= row[4]:
            left_out["box_without_area"] += 1
        elif tuple(row) in kept:
            left_out["label_twice"] += 1
        else:
            kept[tuple(row)] = row
    return list(kept.values()), left_out


def clipped(box: Box) -> Box | None:
    """Return the part of a box that lies in the picture, or nothing where none does."""
    x1, y1, x2, y2 = (min(1.0, max(0.0, value)) for value in box[1:])
    return Box(box.class_index, x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def overhang(box: Box) -> float:
    """Return how far a box reaches out of the picture, as a share of its side."""
    return max(0.0, -box.x1, -box.y1, box.x2 - 1, box.y2 - 1)


def is_finite(values: Iterable[float]) -> bool:
    """Tell whether all values are numbers."""
    return all(map(math.isfinite, values))
