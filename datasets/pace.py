"""How fast work goes, and how long it will take, judged by the last half minute."""

import time
from collections import deque

_WINDOW_SECONDS = 30.0
_BETWEEN_SECONDS = 0.5


class Pace:
    """Remembers when how much was done; what went fast or slowly long ago no longer counts."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._done = 0

    def reached(self, done: int) -> None:
        """Note how much is done in all."""
        now, self._done = time.monotonic(), done
        if now - self._seen[-1][0] < _BETWEEN_SECONDS:
            return
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Return how much is done a second."""
        since, done = self._seen[0]
        return round((self._done - done) / max(time.monotonic() - since, 0.001), 1)

    @property
    def seconds_left(self) -> float | None:
        """Return how long the rest takes at this rate; None where nothing can be said yet."""
        return (self._total - self._done) / self.rate if self.rate else None
