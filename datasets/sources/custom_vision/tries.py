"""What a failure to fetch a picture means: another try, another address, or a picture left out."""

import threading
from collections.abc import Callable

from jobs.errors import UserError

_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT = 60.0
#: 0 and 200 stand for a connection that broke before its answer, and in it.
_WORTH_ANOTHER_TRY = frozenset({0, 200, 408, 429, 500, 502, 503, 504})


class LinkExpired(Exception):
    """The address is signed for a time that is over; there may be a new one."""


class Unlucky(Exception):
    """It may go well another time, perhaps after so many seconds."""

    def __init__(self, seconds: float | None = None) -> None:
        super().__init__()
        self.seconds = seconds


def failure(status: int, seconds: float | None) -> Exception:
    """Return what it means for one picture that it did not come.

    Args:
        status: of HTTP; 0 and 200 where the connection broke.
        seconds: after which the server asks to try again, where it asks.
    """
    if status in {401, 403}:
        return LinkExpired()
    if status in {404, 410}:
        return UserError("remote_picture_gone")
    if 300 <= status < 400:
        return UserError("remote_picture_host")
    if status in _WORTH_ANOTHER_TRY:
        return Unlucky(seconds)
    return UserError("remote_picture_away")


class Tries:
    """Tries to fetch pictures, with growing waits in between; safe for several threads."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    @property
    def are_over(self) -> bool:
        """Whether nobody wants pictures any more."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Let no thread wait any longer."""
        self._stopped.set()

    def insist(self, once: Callable[[], bytes]) -> bytes:
        """Return what one of several tries gives.

        Args:
            once: raises Unlucky where another try may help.

        Raises:
            LinkExpired: ask for a new address.
            UserError: the picture cannot be had; the code tells why.
        """
        for seconds in (*_WAITS, None):
            try:
                return once()
            except Unlucky as unlucky:
                if seconds is None or self.are_over:
                    break
                self._stopped.wait(min(unlucky.seconds or seconds, _LONGEST_WAIT))
        raise UserError("remote_picture_away")
