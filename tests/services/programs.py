"""Starts the portal's own programs as processes, on the database and the Valkey of the test."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from tests.services.lifeline import die_with_parent

_ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """Return the DATABASE_URL of the database that the test's own ORM writes to."""
    from django.db import connection

    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    return f"postgres://{found['USER']}:{found['PASSWORD']}@/{found['HOST']}/{found['NAME']}"


class Program:
    """A running program of the portal, as a child of the zygote."""

    def __init__(self, zygote: "Zygote", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._zygote = zygote

    def send_signal(self, number: int) -> None:
        """Send a signal, if it is still there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it without notice."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to leave."""
        self.send_signal(signal.SIGTERM)

    def poll(self) -> int | None:
        """Return its exit status, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._zygote.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float = 10.0) -> int:
        """Wait for its end and return its exit status."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < deadline, f"process {self.pid} does not end"
            time.sleep(0.02)
        assert self.returncode is not None
        return self.returncode


class Zygote:
    """The process that forks programs; see `tests.services.zygote`."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.zygote"],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  one system call
        )
        assert self._answer() == "ready"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def forks(self) -> list[int]:
        """Return all processes that have its command line and its data home, itself included."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                home = process.environ().get("CVTRAINER_HOME")
                is_fork = "tests.services.zygote" in process.cmdline()
                if is_fork and home == self.environment["CVTRAINER_HOME"]:
                    found.append(process.pid)
        return found

    def ask(self, **command: Any) -> Any:
        """Send a command and return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """Let it go."""
        self._process.kill()
        self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the zygote has died"
        return json.loads(line)


class Programs:
    """Every program that a test started; all of them end with the test."""

    def __init__(self, zygote: Zygote) -> None:
        self.zygote = zygote
        self.started: list[Program] = []

    def manage(self, *arguments: str, **settings: Any) -> Program:
        """Run `manage.py` with these arguments; keywords override settings."""
        pid = self.zygote.ask(start=list(arguments), settings=settings)
        self.started.append(Program(self.zygote, pid))
        return self.started[-1]

    def worker(self, queue: str = "imports", **settings: Any) -> Program:
        """Start a worker on a queue."""
        return self.manage("run_worker", queue, **settings)

    def reconciler(self, interval: float = 0.3) -> Program:
        """Start the reconciler with short passes."""
        return self.manage("reconcile_jobs", "--loop", "--interval", str(interval))

    def web(
        self, port: int, *, ws: str = "cvtrainer_site.sockets:ManyMessages", **settings: Any
    ) -> Program:
        """Start a web process and wait until it answers.

        Args:
            ws: uvicorn's protocol of sockets; `auto` sends each message by itself.
        """
        options = ("--port", str(port), "--lifespan", "off", "--log-level", "error")
        more = ("--ws-max-size", "65536", "--timeout-graceful-shutdown", "2")
        sockets = ("--ws", ws, "--ws-per-message-deflate", "false")
        program = self.manage(
            "uvicorn", "cvtrainer_site.asgi:application", *options, *more, *sockets, **settings
        )
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return program
            assert time.monotonic() < deadline and program.poll() is None, "no web process"
            time.sleep(0.02)

    def forked(self) -> list[int]:
        """Return what the programs have forked and still runs, whether its parent lives or not."""
        ours = {self.zygote.pid, *(program.pid for program in self.started)}
        return [pid for pid in self.zygote.forks() if pid not in ours]

    def end(self) -> None:
        """Kill what still runs, with its children."""
        for program in self.started:
            for victim in [*children(program.pid), program.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
            program.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_environment(redis_url: str, **more: str) -> dict[str, str]:
    """Return the environment of programs that work on the test's database and Valkey."""
    return {
        **os.environ,
        "CVTRAINER_TEST_CHILD": "1",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database_url(),
        "REDIS_URL": redis_url,
        "CVTRAINER_LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
        **more,
    }


def children(pid: int) -> list[int]:
    """Return the process ids of all descendants."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is more than a zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
