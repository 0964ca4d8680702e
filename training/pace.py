"""How long a training still takes, by the epochs that its trainer has been through.

The first epoch of a trainer warms up and counts only while it is the only one. The last epochs are
trained without mosaics of four pictures each: where the training waits for its pictures, those are
quicker, by a part of that wait. After the last epoch the best model is measured once more and what
the run brought is stored. Nobody knows whether patience ends it sooner: what is told is the most.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

#: Epochs that are looked at, the newest.
_LOOKED_AT = 3
#: The first epochs get quicker still: a host that has just begun, weights that know nothing yet.
_SETTLING = 5
#: How much quicker the next ones are where each was quicker than the one before.
_QUICKER_YET = 0.05
#: Of the wait for pictures, what goes with the mosaics.
_SAVED = 0.6
#: The last measuring takes as long as that of an epoch, and a little for curves and files.
_FINISH_SECONDS = 4.0
#: How much of the first epoch must be done before it says something about the whole.
_FIRST_SHARE = 0.1
#: Of an epoch of which nothing is known, how much is training.
_TRAINING = 0.9


@dataclass(frozen=True)
class Lap:
    """One epoch: its seconds, those of them for pictures and for validation, and those after it.

    After it the trainer may have waited for the storage.
    """

    number: int
    seconds: float
    waited: float
    validated: float
    stalled: float = 0.0


class Pace:
    """Remembers the epochs of one trainer.

    Args:
        epochs: of the whole run.
        mosaics_until: the last epoch with mosaics; `epochs` where all are alike.
        clock: seconds that only grow.
    """

    def __init__(self, *, epochs: int, mosaics_until: int, clock: Callable[[], float]) -> None:
        self._epochs = epochs
        self._mosaics_until = mosaics_until
        self._clock = clock
        self._began = clock()
        self._laps: list[Lap] = []

    def begin(self) -> None:
        """Note that a trainer begins its first epoch now; of another one nothing is known."""
        self._laps.clear()
        self._began = self._clock()

    def end(
        self,
        number: int,
        *,
        seconds: float | None = None,
        waited: float = 0.0,
        validated: float = 0.0,
    ) -> float:
        """Note that an epoch has ended, and the next one begins.

        Args:
            seconds: of the epoch itself, where more than it has passed since the one before.

        Returns:
            The seconds since the one before.
        """
        now = self._clock()
        passed = now - self._began
        seconds = passed if seconds is None else min(seconds, passed)
        self._laps.append(Lap(number, seconds, waited, validated, passed - seconds))
        self._began = now
        return passed

    @property
    def typical(self) -> float:
        """Seconds from one epoch to the next as they were lately; 0 where none was seen."""
        return _median([lap.seconds for lap in self._known()]) + self._stalled

    def left(
        self, finished: int, *, trained: float = 0.0, validated: float = 0.0, is_last: bool = False
    ) -> float | None:
        """Return the seconds that the run still takes at most, or None where nobody can tell.

        Args:
            finished: epochs that are whole.
            trained: how much of the training pass of the epoch in hand is done, 0..1.
            validated: how much of its measuring is done, 0..1.
            is_last: whether the run ends with the epoch in hand.
        """
        spent = self._clock() - self._began
        part = self._training
        share = part * trained + (1 - part) * validated
        until = min(finished + 1, self._epochs) if is_last else self._epochs
        if not self._laps:
            if share < _FIRST_SHARE:
                return None
            return (until - finished) * spent / share - spent
        ahead = [self._expected(number) for number in range(finished + 1, until + 1)]
        if not ahead:
            return self.left_of_finish()
        # An epoch that takes longer than expected is not over because its time is.
        in_hand = max(ahead[0] - spent, ahead[0] * (1 - share) if share else 0.0)
        return in_hand + sum(ahead[1:]) + (len(ahead) - 1) * self._stalled + self._finish

    def left_of_finish(self) -> float | None:
        """Return the seconds left after the last epoch; None where they are over or unknown."""
        if not self._laps:
            return None
        return max(self._finish - (self._clock() - self._began), 0.0) or None

    @property
    def _training(self) -> float:
        """How much of an epoch is its training pass, 0..1."""
        known = self._known()
        if not known:
            return _TRAINING
        return 1 - min(_median([lap.validated / (lap.seconds or 1.0) for lap in known]), 1.0)

    @property
    def _stalled(self) -> float:
        """Seconds between two epochs: a storage that is slow holds up some of them, and not all."""
        laps = self._after_warm_up()
        return sum(lap.stalled for lap in laps) / len(laps) if laps else 0.0

    @property
    def _finish(self) -> float:
        validated = _median([lap.validated for lap in self._known()])
        return validated + _FINISH_SECONDS

    def _known(self) -> list[Lap]:
        return self._after_warm_up()[-_LOOKED_AT:]

    def _after_warm_up(self) -> list[Lap]:
        """Return the epochs, without the first where there are others."""
        return self._laps[1:] or self._laps

    def _expected(self, number: int) -> float:
        has_mosaics = number <= self._mosaics_until
        alike = [
            lap
            for lap in self._after_warm_up()
            if (lap.number <= self._mosaics_until) == has_mosaics
        ]
        if alike:
            return self._to_come(alike[-_LOOKED_AT:])
        known = self._known()
        return self._to_come(known) - _SAVED * _median([lap.waited for lap in known])

    def _to_come(self, known: list[Lap]) -> float:
        """Return the seconds of an epoch like these."""
        seconds = [lap.seconds for lap in known]
        if len(self._laps) > _SETTLING:
            return _median(seconds)
        steps = [later.seconds < lap.seconds for lap, later in pairwise(self._laps)]
        is_falling = len(steps) > 1 and all(steps)
        return min(seconds) * (1 - _QUICKER_YET * is_falling)


def _median(values: list[float]) -> float:
    return statistics.median_low(values) if values else 0.0
