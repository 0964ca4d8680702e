"""Pictures that measure a model and look like one that it was trained on: the splits of a ZIP."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from datasets.dealing import SIDES
from datasets.split import SplitItem
from datasets.twins import Twins


@dataclass(frozen=True)
class Leak:
    """A picture of one split that is also, or nearly, in another.

    Attributes:
        key: of the picture that stays where it is.
        other: key of the picture like it, on another side.
        other_name: file name of the one with the same bytes, where it was another record of `key`.
    """

    key: str
    other: str = ""
    other_name: str = ""


def leaks(
    items: Sequence[SplitItem], sides: Mapping[str, str], twins: Mapping[str, Twins]
) -> Iterator[Leak]:
    """Yield what lies in two splits.

    Args:
        items: the pictures, with their groups.
        sides: the split of each, by key.
        twins: further records of pictures with the same bytes, by key.
    """
    for item in items:
        if item.key in twins:
            for side, name in twins[item.key].splits.items():
                if side != sides[item.key]:
                    yield Leak(item.key, other_name=name)
    for members in grouped(items).values():
        by_side = ([key for key in members if sides[key] == side] for side in SIDES)
        first, *others = filter(None, by_side)
        for keys in others:
            yield from (Leak(first[0], key) for key in keys)


def grouped(items: Iterable[SplitItem]) -> dict[str, list[str]]:
    """Return the keys of each group, in the order in which they came."""
    groups: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.group is not None:
            groups[item.group].append(item.key)
    return groups
