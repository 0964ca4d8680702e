"""What Custom Vision's own models reach, by its own measure: with what own models are compared.

A version keeps it as it was told: [{"name", "published_as", "trained_at", "precision", "recall",
"average_precision", "classes": [{"name", …}]}], the newest iteration first. Where somebody changed
the classes, each says by `class_name` what it is called now, or None where there is no one class
any more that its figures are of.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets.models import DatasetVersion
from datasets.names import LONGEST_CLASS, printable

#: An iteration as a version keeps it.
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Baseline:
    """The newest published iteration, by the classes of a version.

    Attributes:
        published_as: what it is called there.
        total: its precision, recall and average_precision over all classes.
        by_class: likewise, by the name of the class here.
    """

    published_as: str
    total: Row
    by_class: Mapping[str, Row] = field(default_factory=dict)


def baseline_of(*versions: DatasetVersion | None) -> Baseline | None:
    """Return what to compare with: of the first version that has it."""
    found = (version.baselines for version in versions if version and version.baselines)
    newest: Row | None = next((rows[0] for rows in found), None)
    if newest is None:
        return None
    named = [(class_name(row), row) for row in newest["classes"]]
    times = Counter(name for name, _ in named)
    # Two tags of one name may well mean different things.
    by_class = {name: row for name, row in named if name is not None and times[name] == 1}
    return Baseline(newest["published_as"], newest, by_class)


def class_name(row: Row) -> str | None:
    """Return what the class of a row is called here; nothing where it is no class any more."""
    if "class_name" in row:
        name: str | None = row["class_name"]
        return name
    return printable(row["name"])[:LONGEST_CLASS].strip()


def carried(own: Sequence[Row], earlier: DatasetVersion | None) -> list[Row]:
    """Return what an import brings, and what the version has that it adds to."""
    brought = {_identity(row) for row in own}
    before = earlier.baselines if earlier else []
    return [*own, *(row for row in before if _identity(row) not in brought)]


def renamed(baselines: Iterable[Row], names: Mapping[str, str | None]) -> list[Row]:
    """Return baselines of a version whose classes were changed.

    Args:
        names: the new name of each class; nothing for one that went, or was merged with another.
    """
    return [
        {**row, "classes": [_renamed(one, names) for one in row["classes"]]} for row in baselines
    ]


def _renamed(row: Row, names: Mapping[str, str | None]) -> Row:
    name = class_name(row)
    return row if name is None or name not in names else {**row, "class_name": names[name]}


def _identity(row: Row) -> tuple[Any, ...]:
    return row["name"], row["published_as"], row["trained_at"]
