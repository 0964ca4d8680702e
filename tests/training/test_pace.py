"""The time left: a simulated trainer with the times of real ones, and what is told at each moment.

The times follow what was measured: the first epoch warms up, each differs a little from the last,
the measuring takes its part and grows quicker as the model learns, the last ten epochs make no
mosaics (which costs time only where the training waits for its pictures), and the end measures once
more, draws its curves and stores what came out.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from training.pace import Pace


@dataclass(frozen=True)
class Kind:
    """How a trainer behaves.

    Attributes:
        seconds: of the training pass of an epoch.
        waits: the part of it that waits for pictures.
        validation: seconds of a measuring.
        warm_up: how much longer the first epoch takes.
        noise: by how much epochs differ.
        quicker: how much of the wait goes where no mosaics are made.
        end: seconds of the end beside the measuring.
        fades: how much slower it begins, on a host that has still other things to start.
    """

    epochs: int
    seconds: float
    waits: float = 0.05
    validation: float = 0.0
    warm_up: float = 0.5
    noise: float = 0.05
    quicker: float = 0.6
    end: float = 4.0
    mosaics_until: int | None = None
    fades: float = 0.0


KINDS = {
    "a GPU that never waits": Kind(100, 60.0, validation=6.0),
    "a GPU that waits for its pictures": Kind(100, 60.0, waits=0.5, validation=8.0),
    "few epochs, most of them without mosaics": Kind(15, 40.0, waits=0.5, validation=5.0),
    "where mosaics cost less than expected": Kind(15, 40.0, waits=0.3, quicker=0.4),
    "where mosaics cost more than expected": Kind(15, 40.0, waits=0.3, quicker=0.8),
    "a slow start": Kind(30, 20.0, warm_up=4.0, validation=3.0),
    "a large validation set": Kind(25, 30.0, validation=25.0),
    "a processor, small epochs": Kind(20, 3.0, waits=0.02, validation=0.3, noise=0.1),
    "an hour each": Kind(12, 3600.0, waits=0.2, validation=200.0),
    "a noisy host": Kind(50, 10.0, noise=0.15, validation=1.0),
    "a host that has just begun": Kind(32, 4.0, warm_up=0.1, noise=0.03, fades=0.35),
    "a processor that gets used to it": Kind(32, 4.0, warm_up=0.1, noise=0.02, fades=0.5),
    "never a mosaic": Kind(10, 30.0, waits=0.5, mosaics_until=10),
    "four epochs": Kind(4, 30.0, validation=4.0),
}


class Simulated:
    """A trainer that goes through its epochs, and the clock that it goes by."""

    def __init__(self, kind: Kind, seed: int) -> None:
        self.kind = kind
        self.now = 1_000.0
        self.until = max(0, kind.epochs - 10)
        if kind.mosaics_until is not None:
            self.until = kind.mosaics_until
        self._chance = random.Random(seed)
        self.pace = Pace(epochs=kind.epochs, mosaics_until=self.until, clock=lambda: self.now)
        self.pace.begin()

    def run(self) -> Iterator[tuple[int, float | None, float]]:
        """Yield (whole epochs, what is told, when) at every tenth of every epoch."""
        kind = self.kind
        for number in range(1, kind.epochs + 1):
            different = 1 + self._chance.uniform(-kind.noise, kind.noise)
            waited = kind.waits * kind.seconds * different
            if number > self.until:
                waited *= 1 - kind.quicker
            passed = kind.seconds * (1 - kind.waits) * different + waited
            passed *= 1 + (kind.warm_up if number == 1 else 0) + kind.fades * 0.7 ** (number - 1)
            validated = kind.validation * (1 + 0.5 / number) * different
            for tenth in range(10):
                yield number - 1, self.pace.left(number - 1, trained=tenth / 10), self.now
                self.now += passed / 10
            self.now += validated
            self.pace.end(number, waited=waited, validated=validated)
        yield kind.epochs, self.pace.left(kind.epochs), self.now
        self.now += kind.validation + kind.end


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", KINDS)
def test_after_three_epochs_the_time_left_is_right_within_a_fifth(name: str, seed: int) -> None:
    trainer = Simulated(KINDS[name], seed)
    told = list(trainer.run())
    # Of the last seconds nobody asks for a fifth.
    slack = max(2.0, trainer.kind.seconds / 8)
    wrong = {}
    for whole, left, at in told:
        really = trainer.now - at
        if whole < 3 or whole == trainer.kind.epochs:
            continue
        assert left is not None
        if abs(left - really) > max(0.2 * really, slack):
            wrong[whole, round(at)] = (round(left), round(really))
    assert not wrong


@pytest.mark.parametrize("name", KINDS)
def test_in_the_first_epoch_there_is_an_idea_of_it(name: str) -> None:
    trainer = Simulated(KINDS[name], 1)
    told = [(left, at) for whole, left, at in trainer.run() if whole == 0]
    assert told[0][0] is None
    late, at = told[-1]
    assert late is not None
    really = trainer.now - at
    assert really / 3 < late < really * (2 + trainer.kind.warm_up)


def test_it_never_runs_out_while_an_epoch_goes_on() -> None:
    trainer = Simulated(Kind(10, 10.0), 1)
    for whole, _left, _at in trainer.run():
        if whole == 9:
            break
    trainer.now += 1_000
    left = trainer.pace.left(9, trained=0.5)
    assert left is not None
    assert left > 4


def test_a_stop_leaves_the_epoch_in_hand_and_the_end() -> None:
    trainer = Simulated(Kind(100, 10.0, noise=0.0), 1)
    for whole, _left, _at in trainer.run():
        if whole == 4:
            break
    left = trainer.pace.left(4, is_last=True)
    assert left == pytest.approx(10 + 4, abs=1)


def test_the_end_counts_down() -> None:
    trainer = Simulated(Kind(5, 10.0, validation=10.0, noise=0.0), 1)
    list(trainer.run())
    trainer.now -= 14
    first = trainer.pace.left_of_finish()
    trainer.now += 5
    then = trainer.pace.left_of_finish()
    assert first is not None
    assert then is not None
    assert first - then == pytest.approx(5)
    trainer.now += 100
    assert trainer.pace.left_of_finish() is None


def test_another_trainer_is_known_by_its_own_epochs() -> None:
    clock = [0.0]
    pace = Pace(epochs=10, mosaics_until=10, clock=lambda: clock[0])
    for number in (1, 2):
        clock[0] += 100
        pace.end(number)
    pace.begin()
    assert pace.left(2) is None
    clock[0] += 20
    pace.end(3)
    assert pace.left(3) == pytest.approx(7 * 20 + 4)


def test_of_an_attempt_that_goes_on_the_first_epoch_counts_least() -> None:
    clock = [0.0]
    pace = Pace(epochs=100, mosaics_until=90, clock=lambda: clock[0])
    pace.begin()
    for number, seconds in ((51, 100.0), (52, 10.0), (53, 10.0)):
        clock[0] += seconds
        pace.end(number)
    assert pace.typical == 10
    assert pace.left(53) == pytest.approx(47 * 10 + 4, abs=1)


def test_a_storage_that_holds_up_some_epochs_counts_for_all() -> None:
    """Epochs of 30 s, and after each second one the trainer waits two minutes."""
    clock = [0.0]
    pace = Pace(epochs=100, mosaics_until=100, clock=lambda: clock[0])
    pace.begin()
    ends = []
    for number in range(1, 101):
        clock[0] += 30
        pace.end(number, seconds=30.0)
        ends.append((clock[0], pace.left(number)))
        clock[0] += 120 * (number % 2)
        # The next one begins only now: what has passed until its end is more than it took itself.
    really = ends[-1][0] + 4
    for at, left in ends[9:90]:
        assert left == pytest.approx(really - at, rel=0.2)
    assert pace.typical == pytest.approx(90, rel=0.1)


def test_an_epoch_is_no_longer_than_what_has_passed() -> None:
    clock = [0.0]
    pace = Pace(epochs=3, mosaics_until=3, clock=lambda: clock[0])
    pace.begin()
    clock[0] += 10
    assert pace.end(1, seconds=12.0) == 10
    assert pace.typical == 10
