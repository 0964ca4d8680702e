"""One reader a job in each web process: fetches new frames once, and fans them out to its sockets.

Sockets pull: each has its own cursor. What the reader still remembers comes from memory; who is
further behind (a replay, a slow line) reads the store by itself. So nothing is queued for anybody,
and memory does not grow with slow readers.
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
from jobs.models import Job, JobEvent
from jobs.states import TERMINAL

log = logging.getLogger(__name__)

T = TypeVar("T")
Frames = list[dict[str, Any]]

#: Frames that are read at once, and that a reader remembers.
_CHUNK = 200
_MEMORY = 400
#: At most four looks at the database a second for each job; without doorbells, one in this time.
_SHORTEST_PAUSE = 0.25
_POLL_SECONDS = 1.5
_POLL_ENDED_SECONDS = 10.0

_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stream")


async def in_store(call: Callable[[], T]) -> T:
    """Run a call that uses the ORM in one of a few threads that keep their connections."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _with_connection, call)


async def follow(
    model: type[Job], job_id: str, *, after: int, tick: float
) -> AsyncGenerator[Frames, None]:
    """Yield all frames of a job behind a number, in order, first from the store, then live.

    Yields an empty list where there was nothing for `tick` seconds; never ends by itself, for a job
    that has ended may be queued again.
    """
    reader = _hub.join(model, job_id)
    try:
        while True:
            frames = reader.remembered(after)
            if frames is None:
                frames = await in_store(partial(_fetch, model, job_id, after))
            if frames:
                after = frames[-1]["seq"]
                yield frames
            elif not await reader.has_news(after, within=tick):
                yield []
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
        self._memory: deque[dict[str, Any]] = deque(maxlen=_MEMORY)
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

    def remembered(self, after: int) -> Frames | None:
        """Return what is remembered behind a number; None where the store has to be asked."""
        if self._last is None or (after < self._last and not self._memory):
            return None
        if after >= self._last:
            return []
        if after + 1 < self._memory[0]["seq"]:
            return None
        return [frame for frame in self._memory if frame["seq"] > after]

    async def has_news(self, after: int, *, within: float) -> bool:
        """Wait until there is something behind a number; False where the time goes by."""
        try:
            async with asyncio.timeout(within):
                while self._last is None or self._last <= after:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

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

    async def _look(self) -> bool:
        if self._last is None:
            # Sockets replay what was before by themselves.
            job = await in_store(lambda: self.model._default_manager.filter(pk=self.job_id).first())
            if job is not None:
                self._is_ended = job.status in TERMINAL
                self._learn([], job.last_seq)
            return False
        frames = await in_store(partial(_fetch, self.model, self.job_id, self._last))
        if frames:
            self._learn(frames, frames[-1]["seq"])
        return len(frames) == _CHUNK

    def _learn(self, frames: Frames, last: int) -> None:
        self._memory.extend(frames)
        self._last = last
        for frame in frames:
            if frame["type"] == JobEvent.Type.STATUS:
                self._is_ended = frame["status"] in TERMINAL
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
            for reader in list(self._readers.values()):
                if name in {None, reader.name}:
                    reader.ring()


_hub = _Hub()


def _fetch(model: type[Job], job_id: str, after: int) -> Frames:
    stories: Any = model.event_model().objects
    rows = stories.filter(job_id=job_id).after(after, limit=_CHUNK)
    return [row.frame() for row in rows]


def _with_connection(call: Callable[[], T]) -> T:
    try:
        return call()
    except Exception:
        connection.close()
        raise
