"""What an import left out or repaired: counted by code, with a few examples, in little memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypedDict

MOST_EXAMPLES = 10


class ProblemRow(TypedDict):
    """A problem as a version stores it; its sentence is made for each reader.

    `jobs.errors.describe(code, {"count": count})` gives it.
    """

    code: str
    count: int
    examples: list[str]


@dataclass
class _Tally:
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Problems:
    """Collects problems; ten thousand of a kind take no more room than ten."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}
        #: Codes since somebody began to watch.
        self._seen: set[str] = set()

    def add_row(self, row: Mapping[str, Any]) -> None:
        """Count what a version stores of a kind."""
        self.add(row["code"], count=row["count"])
        examples = self._tallies[row["code"]].examples
        examples += row["examples"][: MOST_EXAMPLES - len(examples)]

    def add(self, code: str, example: str = "", count: int = 1) -> None:
        """Count a problem.

        Args:
            code: registered in datasets/errors.py.
            example: where it is, as `labels/a.txt:3`.
            count: how many there are of it.
        """
        self._seen.add(code)
        tally = self._tallies.setdefault(code, _Tally())
        tally.count += count
        if example and len(tally.examples) < MOST_EXAMPLES:
            tally.examples.append(example)

    @contextmanager
    def watched(self) -> Iterator[set[str]]:
        """Yield a set that in the end holds the codes that were counted meanwhile."""
        seen: set[str] = set()
        self._seen = seen
        yield seen

    def count(self, code: str) -> int:
        """Return how many there are of a kind."""
        return self._tallies[code].count if code in self._tallies else 0

    def rows(self) -> list[ProblemRow]:
        """Return all kinds, the most frequent first: the same however the work was cut up."""
        kinds = sorted(self._tallies.items(), key=lambda kind: (-kind[1].count, kind[0]))
        return [
            {"code": code, "count": tally.count, "examples": list(tally.examples)}
            for code, tally in kinds
        ]
