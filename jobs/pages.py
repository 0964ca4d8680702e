"""What was told before, in pages that never change: fetched once for all who replay it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from jobs.wire import Entry

#: Frames a page; and what all pages of a process together may hold.
PAGE = 100
_MOST_BYTES = 4_000_000

Fetch = Callable[[int, int], Awaitable[list[Entry]]]


class Pages:
    """Remembers the pages that were asked for last."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[str, int], asyncio.Task[list[Entry]]] = OrderedDict()
        self._sizes: dict[tuple[str, int], int] = {}

    async def behind(self, name: str, after: int, *, last: int, fetch: Fetch) -> list[Entry]:
        """Return the frames of a story from behind a number to the end of its page.

        Args:
            name: of the story.
            last: the newest number that is there; the page with it still grows.
            fetch: returns the frames behind a number, as many as are asked for.
        """
        number = after // PAGE
        if (number + 1) * PAGE > last:
            return await fetch(after, PAGE)
        page = await self._page((name, number), fetch)
        return [entry for entry in page if entry.seq > after]

    def end(self, after: int, last: int) -> int:
        """Return the last number of the page behind a number."""
        return min((after // PAGE + 1) * PAGE, last)

    async def _page(self, key: tuple[str, int], fetch: Fetch) -> list[Entry]:
        task = self._pages.get(key)
        if task is None:
            task = asyncio.create_task(_fetched(fetch, key[1] * PAGE))
            self._pages[key] = task
            task.add_done_callback(partial(self._arrived, key))
        self._pages.move_to_end(key)
        # Whoever leaves does not take the page from those who wait for it too.
        return await asyncio.shield(task)

    def _arrived(self, key: tuple[str, int], task: "asyncio.Task[list[Entry]]") -> None:
        if task.cancelled() or task.exception() is not None:
            del self._pages[key]
            return
        self._sizes[key] = sum(entry.size for entry in task.result())
        while sum(self._sizes.values()) > _MOST_BYTES and len(self._sizes) > 1:
            oldest = next(key for key in self._pages if key in self._sizes)
            del self._pages[oldest], self._sizes[oldest]


async def _fetched(fetch: Fetch, after: int) -> list[Entry]:
    return await fetch(after, PAGE)
