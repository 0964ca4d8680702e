"""Where the time of an epoch goes, and how quickly pictures pass just now."""

import time
from collections import deque

#: Over so many seconds the pictures are counted: long enough to be steady, short enough to be now.
_WINDOW_SECONDS = 10.0


class EpochClock:
    """Told by the training library's events; all times are seconds of this epoch."""

    def __init__(self) -> None:
        self._began = self._mark = 0.0
        self._passed: deque[tuple[float, int]] = deque()
        self.trained = self.waited = self.validated = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the epoch began."""
        return time.monotonic() - self._began

    def epoch_began(self) -> None:
        """Begin anew."""
        self._began = self._mark = time.monotonic()
        self.trained = self.waited = self.validated = 0.0
        self._passed = deque([(self._began, 0)])

    def batch_came(self) -> None:
        """Note that the pictures of a batch are there: until now the training waited for them."""
        self.waited += time.monotonic() - self._mark

    def batch_ended(self, images: int) -> None:
        """Note that a batch is done.

        Args:
            images: in all batches of this phase so far.
        """
        self._mark = time.monotonic()
        self._passed.append((self._mark, images))
        while len(self._passed) > 2 and self._mark - self._passed[1][0] > _WINDOW_SECONDS:
            self._passed.popleft()

    def training_ended(self) -> None:
        """Note the end of the training pass."""
        self.trained = self.seconds

    def validation_began(self) -> None:
        """Note that the validation set is measured from now on."""
        self._mark = time.monotonic()
        self._passed = deque([(self._mark, 0)])
        self.validated = -self.seconds

    def validation_ended(self) -> None:
        """Note that it was measured."""
        self.validated += self.seconds

    def images_per_second(self) -> float | None:
        """Return how many pictures passed a second, lately; None before the first batch."""
        (began, before), (now, after) = self._passed[0], self._passed[-1]
        return round((after - before) / (now - began), 2) if now > began else None
