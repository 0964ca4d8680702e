"""Waits for a storage that is away or full: the epoch in hand may have taken an hour."""

import errno
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from django.db import Error as DatabaseOrInterfaceError

from jobs.errors import Interrupted, JobSignal, UserError

log = logging.getLogger(__name__)

T = TypeVar("T")
#: How long one step waits for storage before the run is taken back, to go on later.
PATIENCE_SECONDS = 120.0
_LONGEST_PAUSE = 10.0
_STEP_SECONDS = 0.5
_FULL = {errno.ENOSPC, errno.EDQUOT}


def patiently(
    step: Callable[[], T], check: Callable[[], None], *, patience: float | None = None
) -> T:
    """Do something with storage, again and again until it succeeds.

    Args:
        step: such that a second call does no harm.
        check: called while waiting; raises where nobody wants the result any more.
        patience: seconds, where they are other than `PATIENCE_SECONDS`.

    Raises:
        Interrupted: `storage_away` or `disk_full`, for too long.
    """
    deadline = time.monotonic() + (PATIENCE_SECONDS if patience is None else patience)
    delay = 1.0
    while True:
        try:
            return step()
        except (JobSignal, UserError, DatabaseOrInterfaceError):
            raise
        except Exception as error:
            # Whatever it is: each kind of storage has exceptions of its own.
            if time.monotonic() + delay > deadline:
                log.exception("Storage failed for too long")
                raise Interrupted("disk_full" if is_full(error) else "storage_away") from error
            log.warning("Storage failed (%r); trying again in %.0f s", error, delay)
        # Many runs wait for the same storage: not all of them shall ask at once when it is back.
        _pause(delay * random.uniform(0.7, 1.3), check)  # noqa: S311
        delay = min(delay * 2, _LONGEST_PAUSE)


def is_full(error: BaseException) -> bool:
    """Whether an error, or one that led to it, says that there is no space left."""
    return any(isinstance(e, OSError) and e.errno in _FULL for e in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _pause(seconds: float, check: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, _STEP_SECONDS))
    check()
