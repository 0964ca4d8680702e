"""Waits for a database that is away: the work whose end it has to hear may have taken hours."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

from jobs.identity import leaving

log = logging.getLogger(__name__)

T = TypeVar("T")
#: How long a write waits before it gives up.
_PATIENCE_SECONDS = 600.0
_LONGEST_PAUSE = 5.0
#: A worker that is told to leave waits only so long.
_LEAVING_SECONDS = 20.0


def persist(write: Callable[[], T], *, patience: float = _PATIENCE_SECONDS) -> T:
    """Call `write` until the database takes it.

    A connection that was cut leaves the outcome of a commit unknown, so `write` must be such that a
    second call does no harm: conditional on the attempt, or looking for its own row first.

    Args:
        patience: seconds to wait for the database before giving up.

    Raises:
        OperationalError, InterfaceError: the database stayed away too long, or the worker leaves.
    """
    began = time.monotonic()
    deadline = began + patience
    delay = 0.1
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError):
            now = time.monotonic()
            if leaving.is_set():
                deadline = min(deadline, began + _LEAVING_SECONDS)
            if connection.in_atomic_block or now > deadline:
                raise
            log.warning("The database is away; trying again in %.1f s", delay)
            connection.close()
            time.sleep(delay)
            delay = min(delay * 2, _LONGEST_PAUSE)
