"""How far the database's clock is ahead of ours: leases go by that one, and hosts may differ."""

import time
from datetime import timedelta

from django.db import connection
from django.utils import timezone

#: So long what was found is good for: clocks drift slowly.
_KEPT_SECONDS = 60.0
_known: tuple[float, timedelta] | None = None


def database_ahead() -> timedelta:
    """Return by how much the database's clock is ahead of this process's; asked once a minute."""
    global _known  # noqa: PLW0603  one clock a process
    if connection.vendor == "sqlite":
        return timedelta(0)  # it has the clock of this very process
    if _known is None or time.monotonic() - _known[0] > _KEPT_SECONDS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            (there,) = cursor.fetchone()
        _known = (time.monotonic(), there - timezone.now())
    return _known[1]
