"""What would be lost with this host: epochs that have ended and that nobody has stored yet."""

from collections import deque


class Unstored:
    """Counts the training of epochs that are not known to be stored.

    Args:
        seconds: of training that may be so, or one epoch where that takes longer.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._epochs: deque[tuple[int, float]] = deque()

    def add(self, epoch: int, seconds: float) -> None:
        """Note an epoch that has ended, and how long it took."""
        self._epochs.append((epoch, seconds))

    def is_too_much(self, committed: int) -> bool:
        """Whether more would be lost than may be.

        Args:
            committed: the last epoch that is known to be stored.
        """
        while self._epochs and self._epochs[0][0] <= committed:
            self._epochs.popleft()
        if not self._epochs:
            return False
        newest = self._epochs[-1][1]
        return sum(seconds for _, seconds in self._epochs) > max(self._seconds, newest)
