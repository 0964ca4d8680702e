"""One reader a job in each web process: fetches new frames once, and fans them out to its sockets.

Sockets pull: each has its own cursor. What the reader still remembers comes from memory, encoded
once for all; who is further behind (a replay, a slow line) takes page after page of the store,
which those share who replay the same. So nothing is queued for anybody, and memory does not grow
with slow readers.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from django.db import connection

from jobs import events
from jobs.models import Job
from jobs.pages import Pages
from jobs.states import TERMINAL
from jobs.wire import Batch, Entry, first_batch

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Frames that are read at once, and that a reader remembers, in number and in bytes.
_CHUNK = 200
_MEMORY = 400
_MEMORY_BYTES = 1_000_000
#: At most four looks at the database a second for each job; without doorbells, one in this time.
_SHORTEST_PAUSE = 0.25
_POLL_SECONDS = 1.5
_POLL_ENDED_SECONDS = 10.0
#: Batches that are kept for sockets with the same cursor, until the next frame comes.
_KEPT_BATCHES = 32

_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stream")
_pages = Pages()


async def in_store(call: Callable[[], T]) -> T:
    """Run a call that uses the ORM in one of a few threads that keep their connections."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _with_connection, call)


async def follow(
    model: type[Job], job_id: str, *, after: int, language: str, tick: float
) -> AsyncGenerator[Batch | None, None]:
    """Yield all frames of a job behind a number, in order, first from the store, then live.

    Yields None where there was nothing for `tick` seconds; never ends by itself, for a job that has
    ended may be queued again.
    """
    reader = _hub.join(model, job_id)
    try:
        while True:
            batch = await reader.next_batch(after, language, within=tick)
            if batch is not None:
                after = batch.last
            yield batch
    finally:
        _hub.leave(reader)


class _Reader:
    """Follows the story of one job for all sockets of this process."""

    def __init__(self, model: type[Job], job_id: str) -> None:
        self.model = model
        self.job_id = job_id
        self.followers = 0
        self.task: asyncio.Task[None] | None = None
        self._last: int | None = None
        self._memory: deque[Entry] = deque()
        self._memory_bytes = 0
        self._batches: dict[tuple[int, str], Batch] = {}
        self._news = asyncio.Event()
        self._bell = asyncio.Event()
        self._is_ended = False

    @property
    def name(self) -> str:
        """What its doorbell says."""
        return f"{self.model.slug}/{self.job_id}"

    def ring(self) -> None:
        """Look soon."""
        self._bell.set()

    async def next_batch(self, after: int, language: str, *, within: float) -> Batch | None:
        """Return the next frames behind a number; None where the time goes by without any."""
        if not await self._has_news(after, within=within):
            return None
        if batch := self._batches.get((after, language)):
            return batch
        entries = self._remembered(after)
        if entries is not None:
            return self._shared(first_batch(entries, language), after, language)
        assert self._last is not None
        page = await _pages.behind(self.name, after, last=self._last, fetch=self._fetch)
        # Empty only where somebody removed these rows: go on behind them.
        return first_batch(page, language) if page else Batch(_pages.end(after, self._last), ())

    async def run(self) -> None:
        """Fetch what is new, for ever."""
        while True:
            began = time.monotonic()
            try:
                is_more = await self._look()
            except Exception:
                log.exception("Cannot read the story of %s", self.name)
                is_more = False
            if not is_more:
                await self._pause(began)

    def _remembered(self, after: int) -> list[Entry] | None:
        """Return what is remembered behind a number; None where the store has to be asked."""
        if not self._memory or after + 1 < self._memory[0].seq:
            return None
        skipped = after + 1 - self._memory[0].seq
        return [self._memory[n] for n in range(skipped, len(self._memory))]

    def _shared(self, batch: Batch, after: int, language: str) -> Batch:
        """Keep a batch for the other sockets that are as far."""
        if len(self._batches) < _KEPT_BATCHES:
            self._batches[after, language] = batch
        return batch

    async def _has_news(self, after: int, *, within: float) -> bool:
        """Wait until there is something behind a number; False where the time goes by."""
        if self._last is not None and self._last > after:
            return True
        try:
            async with asyncio.timeout(within):
                while self._last is None or self._last <= after:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _look(self) -> bool:
        if self._last is None:
            return await self._begin()
        entries = await self._fetch(self._last, _CHUNK)
        if entries:
            self._learn(entries, entries[-1].seq)
        return len(entries) == _CHUNK

    async def _begin(self) -> bool:
        """Learn the end of the story: who comes back after a break wants no more."""
        job = await in_store(lambda: self.model._default_manager.filter(pk=self.job_id).first())
        if job is None:
            return False
        self._is_ended = job.status in TERMINAL
        entries = await self._fetch(max(0, job.last_seq - _CHUNK), _CHUNK)
        self._learn(entries, entries[-1].seq if entries else job.last_seq)
        return False

    async def _fetch(self, after: int, limit: int) -> list[Entry]:
        return await in_store(partial(_fetch, self.model, self.job_id, after, limit))

    def _learn(self, entries: list[Entry], last: int) -> None:
        self._memory.extend(entries)
        self._memory_bytes += sum(entry.size for entry in entries)
        while len(self._memory) > _MEMORY or self._memory_bytes > _MEMORY_BYTES:
            self._memory_bytes -= self._memory.popleft().size
        self._last = last
        self._batches.clear()
        for entry in entries:
            if entry.status is not None:
                self._is_ended = entry.status in TERMINAL
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _pause(self, began: float) -> None:
        await asyncio.sleep(max(0.0, began + _SHORTEST_PAUSE - time.monotonic()))
        try:
            async with asyncio.timeout(_POLL_ENDED_SECONDS if self._is_ended else _POLL_SECONDS):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()


class _Hub:
    """The readers of this process, and the one ear for doorbells."""

    def __init__(self) -> None:
        self._readers: dict[str, _Reader] = {}
        self._ear: asyncio.Task[None] | None = None

    def join(self, model: type[Job], job_id: str) -> _Reader:
        """Return the reader of a job, started where this is its first follower."""
        fresh = _Reader(model, job_id)
        reader = self._readers.setdefault(fresh.name, fresh)
        reader.followers += 1
        if reader.task is None:
            reader.task = asyncio.create_task(reader.run())
        if self._ear is None:
            self._ear = asyncio.create_task(self._listen())
        return reader

    def leave(self, reader: _Reader) -> None:
        """Stop a reader that nobody follows any more, and the ear with the last one."""
        reader.followers -= 1
        if reader.followers:
            return
        del self._readers[reader.name]
        if reader.task is not None:
            reader.task.cancel()
        if not self._readers and self._ear is not None:
            self._ear.cancel()
            self._ear = None

    async def _listen(self) -> None:
        async for name in events.listen():
            if name is not None:
                if reader := self._readers.get(name):
                    reader.ring()
                continue
            for reader in list(self._readers.values()):
                reader.ring()


_hub = _Hub()


def _fetch(model: type[Job], job_id: str, after: int, limit: int) -> list[Entry]:
    stories: Any = model.event_model().objects
    rows = stories.filter(job_id=job_id).after(after, limit=limit)
    return [Entry.of(row.frame()) for row in rows]


def _with_connection(call: Callable[[], T]) -> T:
    try:
        return call()
    except Exception:
        connection.close()
        raise
