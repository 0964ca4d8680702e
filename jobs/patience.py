"""Waits for a database that is away: the work whose end it has to hear may have taken hours."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

log = logging.getLogger(__name__)

T = TypeVar("T")
#: How long a write waits before it gives up.
_PATIENCE_SECONDS = 600.0


def persist(write: Callable[[], T]) -> T:
    """Call `write` until the database takes it.

    A connection that was cut leaves the outcome of a commit unknown, so `write` must be such that a
    second call does no harm: conditional on the attempt, or looking for its own row first.

    Raises:
        OperationalError, InterfaceError: the database stayed away for ten minutes.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    delay = 0.2
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            log.warning("The database is away; trying again in %.1f s", delay)
            connection.close()
            time.sleep(delay)
            delay = min(delay * 2, 10.0)
