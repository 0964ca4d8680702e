"""What speaks against training on a version, the most harmful first, and whether it is ready."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from datasets.class_table import ClassRow
from datasets.health_figures import pictures_by_label
from datasets.health_texts import BADGES
from datasets.image_problems import UNLABELLED
from datasets.models import DatasetImage, DatasetVersion
from datasets.unreadable import unreadable_of
from jobs.errors import describe

#: Pictures of a class below which a model hardly learns it, as Custom Vision asks for at least.
FEW_OF_A_CLASS = 15
#: Pictures in all below which nothing general is learned.
FEW_PICTURES = 50
#: Times more boxes of one class than of another that make a model prefer the first.
UNBALANCED = 20
_MOST_NAMES = 5
#: What is said of the split that matters to training, by how harmful it is.
_OF_THE_SPLIT = ("split_leak", "near_duplicates_apart")


@dataclass(frozen=True)
class Finding:
    """Something that harms a model, with what to do about it.

    Attributes:
        is_missing: nothing can be trained, or measured, before it is mended.
        problem: code by which the gallery shows the pictures, where it can.
        examples: pictures that show it: {"image": id, "file_name": name}.
    """

    code: str
    is_missing: bool = False
    problem: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    examples: tuple[Mapping[str, str], ...] = ()

    @property
    def message(self) -> str:
        """What it is, in the reader's language."""
        return describe(self.code, self.params)[0]

    @property
    def badge(self) -> str:
        """What is missing, in so few words that they fit on a badge."""
        return str(BADGES.get(self.code, ""))

    @property
    def hint(self) -> str:
        """What to do, in the reader's language."""
        return describe(self.code, self.params)[1]


def findings(version: DatasetVersion, classes: Iterable[ClassRow]) -> list[Finding]:
    """Return what was found, the most harmful first; what is missing comes before all else."""
    table = [row for row in classes if row.row.boxes]
    found = [*_missing(table), *_of_classes(table), *_of_the_split(version)]
    found += _of_pictures(version)
    if version.images_total < FEW_PICTURES:
        found.append(Finding("health_few_pictures", params={"count": version.images_total}))
    return [*found, *_suspicious(version)]


def is_ready(found: Iterable[Finding]) -> bool:
    """Tell whether a model can be trained and measured."""
    return not any(finding.is_missing for finding in found)


def _missing(table: list[ClassRow]) -> list[Finding]:
    wanted = {
        DatasetImage.Split.TRAIN: "health_nothing_to_train",
        DatasetImage.Split.VAL: "health_nothing_to_measure",
    }
    return [
        Finding(code, is_missing=True)
        for split, code in wanted.items()
        if not any(row.boxes.get(split) for row in table)
    ]


def _of_classes(table: list[ClassRow]) -> list[Finding]:
    train, val = DatasetImage.Split.TRAIN, DatasetImage.Split.VAL
    unseen = [row for row in table if not row.boxes.get(train)]
    unmeasured = [row for row in table if not row.boxes.get(val)]
    few = [row for row in table if 0 < row.images.get(train, 0) < FEW_OF_A_CLASS]
    named = [
        ("health_classes_unseen", unseen),
        ("health_classes_unmeasured", unmeasured),
        ("health_classes_few", few),
    ]
    found = [Finding(code, params=_names(rows)) for code, rows in named if rows]
    boxes = sorted((row.row.boxes, row.row.name) for row in table)
    if boxes and boxes[-1][0] > UNBALANCED * boxes[0][0]:
        params = {
            "times": round(boxes[-1][0] / boxes[0][0]),
            "most": boxes[-1][1],
            "least": boxes[0][1],
        }
        found.append(Finding("health_unbalanced", params=params))
    return found


def _names(rows: list[ClassRow]) -> dict[str, Any]:
    names = ", ".join(row.row.name for row in rows[:_MOST_NAMES])
    return {"count": len(rows), "names": names + (", …" if len(rows) > _MOST_NAMES else "")}


def _of_the_split(version: DatasetVersion) -> list[Finding]:
    counts = {row["code"]: row["count"] for row in version.warnings}
    return [
        Finding(code, params={"count": counts[code]}) for code in _OF_THE_SPLIT if code in counts
    ]


def _of_pictures(version: DatasetVersion) -> list[Finding]:
    """Return what stays true of pictures however they are divided."""
    unlabelled = pictures_by_label(version)["unlabelled"]
    unreadable = sum(row["count"] for row in unreadable_of(version))
    counts = {UNLABELLED: unlabelled, "health_unreadable": unreadable}
    return [
        Finding(code, problem=_in_gallery(version, code), params={"count": count})
        for code, count in counts.items()
        if count
    ]


def _suspicious(version: DatasetVersion) -> list[Finding]:
    found = version.health.get("suspicious", {})
    return [
        Finding(
            f"health_{kind}",
            problem=_in_gallery(version, f"health_{kind}"),
            params={"count": found[kind]["pictures"]},
            examples=tuple(found[kind]["examples"]),
        )
        for kind in ("twins", "tiny", "huge")
        if kind in found
    ]


def _in_gallery(version: DatasetVersion, code: str) -> str:
    """Return a code by which the gallery shows the pictures; nothing where it cannot."""
    return code if code in version.health.get("problems", {}) else ""
