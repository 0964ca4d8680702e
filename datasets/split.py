"""Divides pictures into training and validation: stratified by class, repeatable from a seed.

A random split loses rare classes. Here the rarest class is dealt out first (iterative
stratification, Sechidis and others 2011), whole groups at a time, so that near-duplicates stay on
one side. The order of pictures comes from a hash of seed and key: the order of a ZIP plays no part.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

TRAIN, VAL, TEST = "train", "val", "test"
_SIDES = (TRAIN, VAL)


@dataclass(frozen=True, slots=True)
class SplitItem:
    """A picture to place.

    Attributes:
        key: unique, and the same at every import, as the digest of its bytes.
        classes: the classes of its boxes.
        given: the split that it brought along.
        group: pictures with the same group stay on one side; alone where None.
    """

    key: str
    classes: frozenset[int]
    given: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Split:
    """The result: the split of each key, and whether it was made here or brought along."""

    of: dict[str, str]
    made_here: bool


def assign(items: Sequence[SplitItem], *, ratio: float, seed: int, keep: bool) -> Split:
    """Return the split of each picture.

    Splits that came along are kept only where there is something to train on and something to
    validate with. Training without validation is divided; validation without training too. Pictures
    for the test stay out of both wherever that is possible. A picture without a split of its own
    beside others that have one goes to training.

    Args:
        items: the pictures, in any order.
        ratio: share for validation, above 0 and below 1.
        seed: another seed, another split.
        keep: whether to keep what came along.

    Raises:
        ValueError: fewer than two pictures, or groups, can be divided.
    """
    given = Counter(item.given for item in items)
    if keep and given[VAL] and (given[TRAIN] or given[None]):
        return Split({item.key: item.given or TRAIN for item in items}, made_here=False)
    tested = {item.key for item in items if keep and item.given == TEST}
    if len(items) - len(tested) < 2:
        tested = set()
    divided = divide([i for i in items if i.key not in tested], ratio=ratio, seed=seed)
    return Split({**divided, **dict.fromkeys(tested, TEST)}, made_here=True)


def divide(items: Sequence[SplitItem], *, ratio: float, seed: int) -> dict[str, str]:
    """Return `train` or `val` for each picture, neither of them empty.

    Every class with enough pictures is on both sides; a class that only one group has stays in
    training where that leaves something to validate with.

    Raises:
        ValueError: fewer than two groups, or a ratio out of range.
    """
    units = _units(items, seed)
    if len(units) < 2 or not 0 < ratio < 1:
        raise ValueError("A split needs two groups and a ratio between 0 and 1.")
    deal = _Deal(units, ratio)
    deal.run()
    return {key: side for unit, side in zip(units, deal.sides, strict=True) for key in unit.keys}


@dataclass
class _Unit:
    """Pictures that stay together."""

    keys: list[str] = field(default_factory=list)
    classes: Counter[int] = field(default_factory=Counter)


def _units(items: Iterable[SplitItem], seed: int) -> list[_Unit]:
    """Return the groups in the order of the seed."""
    grouped: dict[str, _Unit] = defaultdict(_Unit)
    for item in items:
        name = f"key {item.key}" if item.group is None else f"group {item.group}"
        grouped[name].keys.append(item.key)
        grouped[name].classes.update(item.classes)
    order = sorted(grouped, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    return [grouped[name] for name in order]


class _Deal:
    """Deals units out to the two sides."""

    def __init__(self, units: Sequence[_Unit], ratio: float) -> None:
        self._units = units
        self.sides: list[str] = [""] * len(units)
        self._having: dict[int, list[int]] = defaultdict(list)
        having = Counter[int]()
        for index, unit in enumerate(units):
            having.update(unit.classes)
            for label in unit.classes:
                self._having[label].append(index)
        shares = {TRAIN: 1 - ratio, VAL: ratio}
        pictures = sum(len(unit.keys) for unit in units)
        self._wanted = {s: {c: n * shares[s] for c, n in having.items()} for s in _SIDES}
        self._wanted_pictures = {side: pictures * shares[side] for side in _SIDES}
        self._units_with = {side: Counter[int]() for side in _SIDES}

    def run(self) -> None:
        """Place every unit; then mend what dealing alone cannot give."""
        left = {label: len(indexes) for label, indexes in self._having.items()}
        while left:
            rarest = min(left, key=lambda label: (left[label], label))
            for index in self._having[rarest]:
                if not self.sides[index]:
                    self._place(index, self._neediest(rarest))
                    self._count_down(index, left)
            left.pop(rarest, None)
        for index, side in enumerate(self.sides):
            if not side:
                self._place(index, max(_SIDES, key=self._wanted_pictures.__getitem__))
        self._mend()

    def _count_down(self, index: int, left: dict[int, int]) -> None:
        for label in self._units[index].classes:
            if label in left:
                left[label] -= 1

    def _neediest(self, label: int) -> str:
        return max(_SIDES, key=lambda s: (self._wanted[s][label], self._wanted_pictures[s]))

    def _place(self, index: int, side: str) -> None:
        unit = self._units[index]
        self.sides[index] = side
        self._wanted_pictures[side] -= len(unit.keys)
        for label, count in unit.classes.items():
            self._wanted[side][label] -= count
            self._units_with[side][label] += 1

    def _move(self, index: int) -> None:
        unit, side = self._units[index], self.sides[index]
        self._wanted_pictures[side] += len(unit.keys)
        for label, count in unit.classes.items():
            self._wanted[side][label] += count
            self._units_with[side][label] -= 1
        self._place(index, _other(side))

    def _mend(self) -> None:
        """Fill an empty side; bring every class to training; bring to validation what can be."""
        for side in _SIDES:
            if side not in self.sides:
                self._move(min(range(len(self.sides)), key=self._loss))
        self._bring_to_training()
        self._bring_to_validation()
        # What went to validation may have made room for another move; it ends, for training never
        # loses a class again.
        while self._bring_to_training():
            self._bring_to_validation()

    def _bring_to_training(self) -> bool:
        """Move units of classes that training has not; tell whether any was moved."""
        moved = False
        for label in sorted(self._having):
            if not self._units_with[TRAIN][label] and self.sides.count(VAL) > 1:
                self._move(min(self._having[label], key=self._loss))
                moved = True
        return moved

    def _bring_to_validation(self) -> None:
        """Move units of classes that validation has not, where training loses no class by it."""
        for label in sorted(self._having):
            if not self._units_with[VAL][label]:
                cheapest = min(self._having[label], key=self._loss)
                if not self._loss(cheapest)[0]:
                    self._move(cheapest)

    def _loss(self, index: int) -> tuple[int, int]:
        """Return how many classes a side loses if a unit leaves it, and how many pictures."""
        unit, side = self._units[index], self.sides[index]
        lost = sum(self._units_with[side][label] == 1 for label in unit.classes)
        return lost, len(unit.keys)


def _other(side: str) -> str:
    return VAL if side == TRAIN else TRAIN
