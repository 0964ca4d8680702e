"""Divides pictures into training, validation and test, repeatable from a seed.

What is decided already stays: splits that came along, sides of pictures that are known. The rest is
dealt out (dealing.py). The order of pictures comes from a hash of seed and key: the order of a ZIP
plays no part.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from datasets.dealing import SIDES, TEST, TRAIN, VAL, Deal, Unit


@dataclass(frozen=True, slots=True)
class SplitItem:
    """A picture to place.

    Attributes:
        key: unique, and the same at every import, as the digest of its bytes.
        classes: the classes of its boxes.
        given: the split that it brought along.
        group: pictures with the same group stay on one side; alone where None.
        known: its side in an earlier version of the dataset, or that of a picture like it.
    """

    key: str
    classes: frozenset[int]
    given: str | None = None
    group: str | None = None
    known: str | None = None


@dataclass(frozen=True)
class Split:
    """The result.

    Attributes:
        of: the split of each key.
        made_here: whether it was made here, or brought along.
        is_apart: groups had to be taken apart, for otherwise a side would be empty.
    """

    of: dict[str, str]
    made_here: bool
    is_apart: bool = False


def assign(
    items: Sequence[SplitItem], *, ratio: float, seed: int, keep: bool, test_ratio: float = 0.0
) -> Split:
    """Return the split of each picture.

    Splits that came along are kept only where there is something to train on and something to
    validate with. Training without validation is divided; validation without training too. Pictures
    for the test stay out of both wherever that is possible, and known pictures on their side. A
    picture without a split of its own beside others that have one goes to training.

    Args:
        items: the pictures, in any order.
        ratio: share for validation, above 0 and below 1.
        seed: another seed, another split.
        keep: whether to keep what came along.
        test_ratio: share for the test, from 0; what is there for it already counts.

    Raises:
        ValueError: fewer than two pictures can be divided, or the shares leave nothing to train on.
    """
    given = Counter(item.given for item in items)
    if keep and given[VAL] and (given[TRAIN] or given[None]):
        return Split({item.key: item.given or TRAIN for item in items}, made_here=False)
    shares = {"ratio": ratio, "seed": seed, "test_ratio": test_ratio}
    for fixed in _decided(items, keep):
        try:
            return Split(divide(items, fixed=fixed, **shares), made_here=True)  # type: ignore[arg-type]
        except TooFew:
            continue
    alone = [replace(item, group=None) for item in items]
    return Split(divide(alone, **shares), made_here=True, is_apart=True)  # type: ignore[arg-type]


def _decided(items: Sequence[SplitItem], keep: bool) -> Iterator[dict[str, str]]:
    """Yield which sides are decided, and then ever fewer, should that leave a side empty."""
    known = {item.key: item.known for item in items if item.known}
    brought = {item.key: TEST for item in items if keep and item.given == TEST}
    yield {**known, **brought}
    yield {**{key: side for key, side in known.items() if side == TEST}, **brought}
    yield {}


class TooFew(ValueError):
    """There is nothing for one of the sides."""


def divide(
    items: Sequence[SplitItem],
    *,
    ratio: float,
    seed: int,
    test_ratio: float = 0.0,
    fixed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the side of each picture; neither training nor validation is empty.

    Every class with enough pictures is on each side; a class that only one group has stays in
    training where that leaves something to validate with.

    Args:
        items: the pictures, in any order.
        ratio: share for validation.
        seed: another seed, another split.
        test_ratio: share for the test.
        fixed: sides that are decided, by key; others of their groups come to them.

    Raises:
        TooFew: there are not two groups to divide.
        ValueError: shares out of range.
    """
    if not (0 < ratio < 1 and test_ratio >= 0 and ratio + test_ratio < 1):
        raise ValueError("A split needs a ratio above 0 that, with the test's, is below 1.")
    units = _units(items, seed, fixed or {})
    deal = Deal(units, ratio, test_ratio)
    deal.run()
    if not {TRAIN, VAL} <= set(deal.sides):
        raise TooFew("A split needs two groups and a ratio between 0 and 1.")
    return {key: side for unit, side in zip(units, deal.sides, strict=True) for key in unit.keys}


def _units(items: Iterable[SplitItem], seed: int, fixed: Mapping[str, str]) -> list[Unit]:
    """Return the groups in the order of the seed.

    A group is known by its smallest key, which another import finds again; one whose members are
    decided for several sides falls into as many parts.
    """
    grouped: dict[tuple[bool, str], list[SplitItem]] = defaultdict(list)
    for item in items:
        grouped[item.group is None, item.key if item.group is None else item.group].append(item)
    units = [unit for members in grouped.values() for unit in _parts(members, fixed)]
    return sorted(units, key=lambda unit: _drawn(f"{seed} key {min(unit.keys)}"))


def _drawn(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _parts(members: Sequence[SplitItem], fixed: Mapping[str, str]) -> Iterable[Unit]:
    decided = {fixed[item.key] for item in members if item.key in fixed}
    first = next((side for side in SIDES if side in decided), None)
    parts: dict[str | None, Unit] = {}
    for item in members:
        side = fixed.get(item.key, first)
        unit = parts.setdefault(side, Unit(side=side))
        unit.keys.append(item.key)
        unit.classes.update(item.classes)
    return parts.values()
