"""How many processors this process may use: those of its container, where it is in one."""

import os
from pathlib import Path

#: Of control groups, version 2: microseconds that may be used in each period, or "max".
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def processors() -> int:
    """Return how many processors may be used, 1 at least; parts of one do not count."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return max(1, min(allowed, int(quota) // int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return allowed
