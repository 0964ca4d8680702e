"""Deals groups of pictures out to training, validation and test: stratified by class.

A random split loses rare classes. Here the rarest class is dealt out first (iterative
stratification, Sechidis and others 2011), whole groups at a time, so that near-duplicates stay on
one side. Then is mended what dealing alone cannot give.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

TRAIN, VAL, TEST = "train", "val", "test"
SIDES = (TRAIN, VAL, TEST)


@dataclass
class Unit:
    """Pictures that stay together.

    Attributes:
        keys: of the pictures.
        classes: how many of them have each class.
        side: where they stay; dealt out where None.
    """

    keys: list[str] = field(default_factory=list)
    classes: Counter[int] = field(default_factory=Counter)
    side: str | None = None


class Deal:
    """Deals units out to the sides.

    Attributes:
        sides: of each unit; training and validation are empty only where there is nothing for them.
    """

    def __init__(self, units: Sequence[Unit], ratio: float, test_ratio: float) -> None:
        """Set the units that have a side on it.

        Args:
            units: in the order in which they are dealt.
            ratio: share for validation; with the other one below 1.
            test_ratio: share for the test; at 0 nothing is dealt there.
        """
        self._units = units
        self._open = SIDES if test_ratio else (TRAIN, VAL)
        self._ratio, self._test_ratio = ratio, test_ratio
        self.sides: list[str] = [""] * len(units)
        self._having: dict[int, list[int]] = defaultdict(list)
        for index, unit in enumerate(units):
            for label in unit.classes:
                self._having[label].append(index)
        self._set_wanted()
        self._units_with = {side: Counter[int]() for side in SIDES}
        self._units_on = Counter[str]()
        for index, unit in enumerate(units):
            if unit.side:
                self._place(index, unit.side)

    def _set_wanted(self) -> None:
        """Note how many pictures, and how many of each class, every side is to have."""
        having, tested, pictures, in_test = Counter[int](), Counter[int](), 0, 0
        for unit in self._units:
            having.update(unit.classes)
            pictures += len(unit.keys)
            if unit.side == TEST:
                tested.update(unit.classes)
                in_test += len(unit.keys)
        shares = {label: self._shares(count, tested[label]) for label, count in having.items()}
        self._wanted = {side: {c: share[side] for c, share in shares.items()} for side in SIDES}
        self._wanted_pictures = self._shares(pictures, in_test)

    def _shares(self, count: int, tested: int) -> dict[str, float]:
        """Return how many each side is to have; what the test has already, it keeps."""
        test = max(tested, count * self._test_ratio)
        val = (count - test) * self._ratio / (1 - self._test_ratio)
        return {TRAIN: count - test - val, VAL: val, TEST: test}

    def run(self) -> None:
        """Place every unit; then mend what dealing alone cannot give."""
        left = {
            label: sum(not self.sides[index] for index in indexes)
            for label, indexes in self._having.items()
        }
        while left:
            rarest = min(left, key=lambda label: (left[label], label))
            for index in self._having[rarest]:
                if not self.sides[index]:
                    self._place(index, self._neediest(rarest))
                    self._count_down(index, left)
            left.pop(rarest, None)
        for index, side in enumerate(self.sides):
            if not side:
                self._place(index, max(self._open, key=self._wanted_pictures.__getitem__))
        self._mend()

    def _count_down(self, index: int, left: dict[int, int]) -> None:
        for label in self._units[index].classes:
            if label in left:
                left[label] -= 1

    def _neediest(self, label: int) -> str:
        return max(self._open, key=lambda s: (self._wanted[s][label], self._wanted_pictures[s]))

    def _place(self, index: int, side: str) -> None:
        self.sides[index] = side
        self._note(index, 1)

    def _move(self, index: int, side: str) -> None:
        self._note(index, -1)
        self._place(index, side)

    def _note(self, index: int, sign: int) -> None:
        """Count a unit for its side, or no longer."""
        unit, side = self._units[index], self.sides[index]
        self._units_on[side] += sign
        self._wanted_pictures[side] -= sign * len(unit.keys)
        for label, count in unit.classes.items():
            self._wanted[side][label] -= sign * count
            self._units_with[side][label] += sign

    def _mend(self) -> None:
        """Fill an empty side; bring every class to training; bring elsewhere what can be."""
        for side in (TRAIN, VAL):
            if not self._units_on[side]:
                self._fill(side)
        self._bring_to_training()
        self._bring_to(VAL)
        # What went to validation may have made room for another move; it ends, for training never
        # loses a class again.
        while self._bring_to_training():
            self._bring_to(VAL)
        if TEST in self._open:
            self._bring_to(TEST)
            if not self._units_on[TEST]:
                self._fill(TEST, most_loss=0)

    def _fill(self, side: str, *, most_loss: float = math.inf) -> None:
        """Move the unit that is missed least to an empty side, if its side may lose as much."""
        spare = self._movable(range(len(self._units)), side)
        cheapest = min(spare, key=self._loss, default=None)
        if cheapest is not None and self._loss(cheapest)[0] <= most_loss:
            self._move(cheapest, side)

    def _bring_to_training(self) -> bool:
        """Move units of classes that training has not; tell whether any was moved."""
        moved = False
        for label in sorted(self._having):
            if not self._units_with[TRAIN][label]:
                spare = self._movable(self._having[label], TRAIN)
                if spare:
                    self._move(min(spare, key=self._loss), TRAIN)
                    moved = True
        return moved

    def _bring_to(self, side: str) -> None:
        """Move units of classes that a side has not, where no side before it loses one by that."""
        for label in sorted(self._having):
            if not self._units_with[side][label]:
                spare = self._movable(self._having[label], side)
                cheapest = min(spare, key=self._loss, default=None)
                if cheapest is not None and not self._loss(cheapest)[0]:
                    self._move(cheapest, side)

    def _movable(self, indexes: Iterable[int], to: str) -> list[int]:
        """Return units that may leave their side: they are dealt, and leave it not empty.

        Only the test may become empty, for the sake of the others.
        """
        return [
            index
            for index in indexes
            if self._units[index].side is None
            and self.sides[index] != to
            and (self._units_on[self.sides[index]] > 1 or self.sides[index] == TEST)
        ]

    def _loss(self, index: int) -> tuple[int, int]:
        """Return how many classes a side loses if a unit leaves it, and how many pictures."""
        unit, side = self._units[index], self.sides[index]
        lost = sum(self._units_with[side][label] == 1 for label in unit.classes)
        return lost if side != TEST else 0, len(unit.keys)
