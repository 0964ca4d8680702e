"""Processes that lost their parent and were handed to us; none of them outlives the portal."""

import asyncio

from cvtrainer_site.supervisor import linux

SECONDS_BETWEEN_LOOKS = 2.0


class Orphans:
    """Finds our children that we did not start ourselves."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def end(self, ours: set[int | None]) -> None:
        """End whoever is no child of our own making.

        Only who is seen twice: a child that is just being started is not among `ours` for a moment.
        """
        strays = {pid: state for pid, state in linux.children().items() if pid not in ours}
        for pid in strays.keys() & self._seen:
            _end(pid, strays[pid])
        self._seen = set(strays)


async def sweep() -> None:
    """Kill and collect every child that is left; the children of each come to us in turn."""
    while left := linux.children():
        for pid, state in left.items():
            _end(pid, state)
        await asyncio.sleep(0.02)


def _end(pid: int, state: str) -> None:
    if state == "Z":
        linux.reap(pid)
    else:
        linux.kill(pid)
