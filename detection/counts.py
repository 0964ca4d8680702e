"""Counts: what people ask a detector for."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Found = Sequence[Any]
#: Everything down to here is found and kept; a reader's threshold only filters.
CONFIDENCE_FLOOR = 0.05


def above(objects: Iterable[Found], conf: float) -> list[Found]:
    """Return what was found with at least this confidence."""
    return [found for found in objects if found[1] >= conf]


def count(objects: Iterable[Found], names: Sequence[str]) -> dict[str, int]:
    """Return how many of each class, in the order of the classes; absent ones are left out."""
    tally = Counter(int(found[0]) for found in objects)
    return {name_of(names, index): tally[index] for index in sorted(tally)}


def by_class(pictures: Iterable[Iterable[Found]], conf: float) -> dict[str, int]:
    """Return how many of each class on all pictures, by the class's index as JSON has keys."""
    tally = Counter(str(int(found[0])) for objects in pictures for found in above(objects, conf))
    return {index: tally[index] for index in sorted(tally, key=int)}


def add(counts: Iterable[Mapping[str, int]], names: Sequence[str]) -> dict[str, int]:
    """Return the sum of counts, in the order of the classes."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    order = {name: index for index, name in enumerate(names)}
    return {name: total[name] for name in sorted(total, key=lambda n: (order.get(n, 1 << 30), n))}


def name_of(names: Sequence[str], index: int) -> str:
    """Return a class's name; a model without a name for it says its number."""
    return names[index] if 0 <= index < len(names) else str(index)
