"""Once an hour the reconciler asks every app to remove what has expired and what was left behind.

In a thread of its own: leases are watched meanwhile. Any number may do it at once.
"""

import logging
import threading
import time

from django.db import connection
from django.dispatch import Signal

log = logging.getLogger(__name__)

_EVERY_SECONDS = 3600.0

#: Receivers remove what nobody needs any more; one that fails keeps no other from its work.
housekeeping = Signal()


class Housekeeper:
    """Remembers when it was last done."""

    def __init__(self) -> None:
        self._due = time.monotonic()
        self._thread: threading.Thread | None = None

    def begin_if_due(self) -> None:
        """Begin it in the background where it is time and the last one has ended."""
        if time.monotonic() < self._due or (self._thread and self._thread.is_alive()):
            return
        self._due = time.monotonic() + _EVERY_SECONDS
        self._thread = threading.Thread(target=_in_thread, name="housekeeping", daemon=True)
        self._thread.start()


def keep_house() -> None:
    """Do it now; what fails is logged and done the next time."""
    for receiver, answer in housekeeping.send_robust(sender=None):
        if isinstance(answer, Exception):
            log.error("Housekeeping: %s failed: %r", receiver, answer)


def _in_thread() -> None:
    try:
        keep_house()
    finally:
        connection.close()
