"""What an import left out or repaired: counted by code, with a few examples, in little memory."""

from dataclasses import dataclass, field
from typing import TypedDict

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

    def add(self, code: str, example: str = "", count: int = 1) -> None:
        """Count a problem.

        Args:
            code: registered in datasets/errors.py.
            example: where it is, as `labels/a.txt:3`.
            count: how many there are of it.
        """
        tally = self._tallies.setdefault(code, _Tally())
        tally.count += count
        if example and len(tally.examples) < MOST_EXAMPLES:
            tally.examples.append(example)

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
