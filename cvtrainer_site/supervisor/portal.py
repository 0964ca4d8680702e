"""The life of the portal: one at a time, started in order, watched, ended in order."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence

import redis
from django.core.management.base import CommandError

from cvtrainer_site.env import folder, uses_embedded_redis
from cvtrainer_site.supervisor import linux, plan
from cvtrainer_site.supervisor.child import Child
from cvtrainer_site.supervisor.endings import ending_signals
from cvtrainer_site.supervisor.lines import say
from cvtrainer_site.supervisor.orphans import SECONDS_BETWEEN_LOOKS, Orphans, sweep
from cvtrainer_site.supervisor.probe import answers
from cvtrainer_site.supervisor.store import embedded_valkey, registered_workers, wait_for_store

#: A program that falls so often before the portal was ever ready will not get well by itself.
_FALLS_AT_START = 3
_READY_SECONDS = 120.0


class Portal:
    """All programs of one installation."""

    def __init__(self) -> None:
        self._log_folder = folder("log")
        self._store = [self._child(embedded_valkey())] if uses_embedded_redis() else []
        self._web = [self._child(plan.web())]
        self._workers = [self._child(program) for program in plan.workers()]
        self._reconciler = [self._child(plan.reconciler())]
        self._all = (*self._store, *self._web, *self._reconciler, *self._workers)
        self._is_ending = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self, *, when_ready: Callable[[], None]) -> None:
        """Start everything, tell when it is ready, and serve until a signal comes.

        Raises:
            CommandError: something does not start; all that did is ended again.
        """
        self._listen_to_signals()
        linux.adopt_orphans()
        watch = asyncio.create_task(self._end_orphans())
        try:
            await self._until_ending(self._start())
            if not self._is_ending.is_set():
                await asyncio.to_thread(when_ready)
                await self._is_ending.wait()
        finally:
            await self._stop()
            watch.cancel()
            await sweep()

    def _child(self, program: plan.Program) -> Child:
        return Child(program, log_folder=self._log_folder)

    async def _until_ending(self, work: Coroutine[None, None, None]) -> None:
        """Do some work, or leave it where the portal has to end meanwhile."""
        start, ending = asyncio.create_task(work), asyncio.create_task(self._is_ending.wait())
        await asyncio.wait([start, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not start.done():
            start.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await start

    async def _start(self) -> None:
        for child in self._store:
            child.start()
        await wait_for_store()
        for child in (*self._web, *self._reconciler, *self._workers):
            child.start()
        deadline = time.monotonic() + _READY_SECONDS
        while not await self._is_ready():
            self._complain(deadline)
            await asyncio.sleep(0.2)

    async def _is_ready(self) -> bool:
        """Tell whether pages are served and each worker waits for work."""
        if not await answers("/healthz"):
            return False
        with contextlib.suppress(redis.RedisError, OSError):
            return {child.pid for child in self._workers} <= await registered_workers()
        return False

    def _complain(self, deadline: float) -> None:
        for child in self._all:
            if child.falls >= _FALLS_AT_START:
                name = child.program.name
                raise CommandError(f"{name} does not start; see {self._log_folder / name}.log")
        if time.monotonic() > deadline:
            raise CommandError(f"Not ready in {_READY_SECONDS:g} s; see {self._log_folder}")

    async def _stop(self) -> None:
        """End the workers first, then what serves pages, the store last."""
        say("ending; Ctrl-C again does not wait for the work at hand")
        for group in ((*self._workers, *self._reconciler), self._web, self._store):
            await self._stop_all(group)

    async def _stop_all(self, group: Sequence[Child]) -> None:
        await asyncio.gather(*(child.stop(self._hurry) for child in group))

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in ending_signals():
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._is_ending.is_set():
            self._hurry.set()
        self._is_ending.set()

    async def _end_orphans(self) -> None:
        """Whoever was handed to us lost its parent, and with it its reason to be."""
        orphans = Orphans()
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
            orphans.end({child.pid for child in self._all})
