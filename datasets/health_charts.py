"""The charts of the health page: bars with their labels, and where on the pictures boxes are."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from datasets.class_table import ClassRow
from datasets.health import GRID
from datasets.health_figures import duplicates, pictures_by_label
from datasets.image_problems import UNLABELLED
from datasets.models import DatasetVersion

#: Label, count, and the query of the gallery's address.
Line = tuple[str, int, str]


@dataclass(frozen=True)
class Bar:
    """A line of a chart.

    Attributes:
        label: what it counts.
        count: how many.
        most: what the fullest line of the chart has.
        query: of the gallery's address that shows them, where there is one.
    """

    label: str
    count: int
    most: int
    query: str = ""


def charts(version: DatasetVersion, classes: Iterable[ClassRow]) -> dict[str, Any]:
    """Return the charts of a version by name; nothing for one that was not measured."""
    health = version.health
    if not health:
        return {}
    rows = [row.row for row in classes]
    by_boxes = sorted(rows, key=lambda row: (-row.boxes, row.index))
    by_pictures = sorted(rows, key=lambda row: (-row.images, row.index))
    sizes = {"tiny": _("< 8 px"), "small": _("8–32 px"), "medium": _("32–96 px")}
    return {
        "classes": _bars((row.name, row.boxes, f"class={row.index}") for row in by_boxes),
        "class_pictures": _bars(
            (row.name, row.images, f"class={row.index}") for row in by_pictures
        ),
        "labels": _bars(_labels(version)),
        "duplicates": _bars(_duplicates(version)),
        "boxes_a_picture": _bars(_columns(health["boxes_a_picture"])),
        "box_sizes": _bars(
            (sizes.get(line["size"], _("> 96 px")), line["boxes"], "")
            for line in health["box_sizes"]
        ),
        "picture_sizes": _bars(
            (f"{line['width']} × {line['height']}", line["pictures"], "")
            for line in health["picture_sizes"]
        ),
        # Versions that were measured before have none.
        "aspects": _bars(
            (line["aspect"], line["pictures"], "") for line in health.get("aspects", ())
        ),
        "centres": _cells(health["centres"]),
        "side": GRID,
    }


def _bars(lines: Iterable[Line]) -> list[Bar]:
    found = list(lines)
    most = max((count for _label, count, _query in found), default=0) or 1
    return [Bar(label, count, most, query) for label, count, query in found]


def _labels(version: DatasetVersion) -> Iterable[Line]:
    counts = pictures_by_label(version)
    yield _("With boxes"), counts["labelled"], ""
    empty, unlabelled = counts["empty"], counts["unlabelled"]
    # The gallery shows both where it is asked for pictures without a box.
    yield _("Empty on purpose"), empty, "problem=no_box" if empty and not unlabelled else ""
    yield _("Not labelled"), unlabelled, f"problem={UNLABELLED}" if unlabelled else ""


def _duplicates(version: DatasetVersion) -> Iterable[Line]:
    counts = duplicates(version)
    labels = {
        "identical": (_("The same file several times"), "picture_twice"),
        "look_alike": (_("Looks like another picture"), "look_alike"),
    }
    for kind, (label, problem) in labels.items():
        yield label, counts[kind], f"problem={problem}" if counts[kind] else ""


def _columns(lines: list[dict[str, int]]) -> Iterable[Line]:
    starts = [line["from"] for line in lines]
    for (start, after), line in zip(pairwise([*starts, 0]), lines, strict=True):
        label = f"{start}" if after == start + 1 else f"{start}–{after - 1}"
        yield (f"≥ {start}" if not after else label), line["pictures"], ""


def _cells(centres: list[list[int]]) -> list[dict[str, Any]]:
    """Return the cells of the grid, each with its share of the fullest one."""
    most = max((count for line in centres for count in line), default=0) or 1
    return [
        {"x": x, "y": y, "count": count, "share": f"{count / most:.2f}"}
        for y, line in enumerate(centres)
        for x, count in enumerate(line)
    ]
