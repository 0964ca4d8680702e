"""One program as a child: started, restarted with back-off, ended step by step."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from pathlib import Path

from cvtrainer_site.env import BASE_DIR
from cvtrainer_site.supervisor.lines import Lines, say
from cvtrainer_site.supervisor.linux import die_with, kill_session
from cvtrainer_site.supervisor.plan import Program

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
#: Who lived so long was well; the next fall starts with a short pause again.
_GOOD_LIFE = 60.0


class Child:
    """Keeps one program running until it is told to end."""

    def __init__(self, program: Program, *, log_folder: Path) -> None:
        self.program = program
        self.falls = 0
        self._lines = Lines(program.name, folder=log_folder, is_quiet=program.is_quiet)
        self._process: Process | None = None
        self._is_wanted = True
        self._task: asyncio.Task[None] | None = None
        self._called_off = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    def start(self) -> None:
        """Start it; from now on it is started again whenever it falls."""
        self._task = asyncio.create_task(self._keep_running(), name=self.program.name)

    async def stop(self, hurry: asyncio.Event) -> None:
        """End it: polite requests first, each with its time, then for certain.

        Args:
            hurry: set where the person asked again; the next step comes at once.
        """
        self._is_wanted = False
        self._called_off.set()
        if self._task is None:
            return
        for _ in range(self.program.polite_requests):
            self._signal(signal.SIGTERM)
            if await self._ends(self.program.patience, hurry):
                break
        while not self._task.done():
            self._signal(signal.SIGKILL)
            await self._ends(1.0, asyncio.Event())
        self._lines.close()

    async def _keep_running(self) -> None:
        pause = _FIRST_PAUSE
        while self._is_wanted:
            began = time.monotonic()
            status = await self._run_once()
            if not self._is_wanted:
                return
            self.falls += 1
            lived = time.monotonic() - began
            is_first = self.falls == 1 or lived > _GOOD_LIFE
            pause = _FIRST_PAUSE if is_first else min(pause * 2, _LONGEST_PAUSE)
            say(f"{self.program.name} ended with {status}; again in {pause:g} s")
            await self._sleep(pause)

    async def _run_once(self) -> int:
        """Run it to its end and return its exit status."""
        reading, writing = os.pipe()
        try:
            self._process = process = await self._spawn(writing)
        except OSError as error:
            os.close(reading)
            self._lines.write(f"cannot start {self.program.command[0]}: {error}")
            return 127
        finally:
            os.close(writing)
        follow = asyncio.create_task(self._lines.follow(reading))
        status = await process.wait()
        # What it leaves in its session ends with it: no two of a kind may work at once.
        kill_session(process.pid)
        # Whoever has left the session may hold our pipe for ever; the last words do not take long.
        await asyncio.wait([follow], timeout=1.0)
        follow.cancel()
        return status

    async def _spawn(self, output: int) -> Process:
        # A pipe of our own: with asyncio's, `wait` waits for everybody who holds it.
        parent = os.getpid()
        return await asyncio.create_subprocess_exec(
            *self.program.command,
            cwd=BASE_DIR,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.program.environment},
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            start_new_session=True,
            preexec_fn=lambda: die_with(parent),
        )

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._called_off.wait(), seconds)
        except TimeoutError:
            return

    async def _ends(self, seconds: float, hurry: asyncio.Event) -> bool:
        assert self._task is not None
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait(
            [self._task, hurried], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        hurried.cancel()
        hurry.clear()
        return self._task.done()

    def _signal(self, number: int) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if number == signal.SIGKILL:
            kill_session(process.pid)
        else:
            process.send_signal(number)
