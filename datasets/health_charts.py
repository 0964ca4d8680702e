"""The charts of the health page: bars with their labels, and where on the pictures boxes are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from datasets.class_table import ClassRow
from datasets.health import GRID


@dataclass(frozen=True)
class Bar:
    """A line of a chart: what it counts, how many, and the most that any line of it has."""

    label: str
    count: int
    most: int


def charts(health: Mapping[str, Any], classes: Iterable[ClassRow]) -> dict[str, Any]:
    """Return the charts of a version by name; nothing for one that was not measured."""
    if not health:
        return {}
    by_boxes = sorted(classes, key=lambda row: (-row.row.boxes, row.row.index))
    sizes = {"tiny": _("< 8 px"), "small": _("8–32 px"), "medium": _("32–96 px")}
    return {
        "classes": _bars((row.row.name, row.row.boxes) for row in by_boxes),
        "boxes_a_picture": _bars(_columns(health["boxes_a_picture"])),
        "box_sizes": _bars(
            (sizes.get(line["size"], _("> 96 px")), line["boxes"]) for line in health["box_sizes"]
        ),
        "picture_sizes": _bars(
            (f"{line['width']} × {line['height']}", line["pictures"])
            for line in health["picture_sizes"]
        ),
        "centres": _cells(health["centres"]),
        "side": GRID,
    }


def _bars(lines: Iterable[tuple[str, int]]) -> list[Bar]:
    found = list(lines)
    most = max((count for _label, count in found), default=0) or 1
    return [Bar(label, count, most) for label, count in found]


def _columns(lines: list[dict[str, int]]) -> Iterable[tuple[str, int]]:
    starts = [line["from"] for line in lines]
    for (start, after), line in zip(pairwise([*starts, 0]), lines, strict=True):
        label = f"{start}" if after == start + 1 else f"{start}–{after - 1}"
        yield (f"≥ {start}" if not after else label), line["pictures"]


def _cells(centres: list[list[int]]) -> list[dict[str, Any]]:
    """Return the cells of the grid, each with its share of the fullest one."""
    most = max((count for line in centres for count in line), default=0) or 1
    return [
        {"x": x, "y": y, "count": count, "share": f"{count / most:.2f}"}
        for y, line in enumerate(centres)
        for x, count in enumerate(line)
    ]
