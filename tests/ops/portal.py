"""Starts `manage.py up` as a person does, on a home of its own, and looks at its processes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
#: What the tests' own environment has set and a person's has not.
_OURS = ("SECRET_KEY", "FIELD_KEYS", "DJANGO_SETTINGS_MODULE", "CVTRAINER_TEST_CHILD")


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of somebody who has set nothing but these."""
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    return {**kept, "CVTRAINER_HOME": str(home), "PYTHONPATH": str(ROOT), **more}


def manage(home: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a management command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=clean_environment(home, **more),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Portal:
    """One start of the portal."""

    def __init__(self, home: Path, *, port: int | None = None, **more: str) -> None:
        self.home, self.port = home, port or free_port()
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=clean_environment(
                home,
                CVTRAINER_PORT=str(self.port),
                CVTRAINER_WORKERS="io=1,train=1,detect=1",
                **more,
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self.complained: list[str] = []
        for stream, lines in (
            (self.process.stdout, self.said),
            (self.process.stderr, self.complained),
        ):
            threading.Thread(target=_collect, args=(stream, lines), daemon=True).start()

    def wait_until_ready(self) -> float:
        """Wait for the line with the address; return the seconds since the start."""
        wait_for(lambda: self.said or self.process.poll() is not None, seconds=150)
        assert self.process.poll() is None, "".join(self.complained)
        return time.monotonic() - self.began

    def get(self, path: str) -> tuple[int, bytes]:
        """Fetch a page; status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as page:
                return page.status, page.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def tree(self) -> dict[int, psutil.Process]:
        """Return all descendants by process id."""
        return {
            child.pid: child for child in psutil.Process(self.process.pid).children(recursive=True)
        }

    def find(self, *words: str) -> psutil.Process:
        """Return the direct child whose command line has all these words."""
        children = psutil.Process(self.process.pid).children()
        [found] = [c for c in children if set(words) <= set(" ".join(c.cmdline()).split())]
        return found

    def end(self, number: int = signal.SIGTERM, *, seconds: float = 120) -> int:
        """Send a signal and wait for the end; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=seconds)

    def kill_everything(self) -> None:
        """Leave nothing of a failed test."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in self.tree().values():
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        self.process.kill()
        self.process.wait()

    def cpu_seconds(self) -> float:
        """Return the processor time that all its processes have used so far."""
        total = 0.0
        for process in [psutil.Process(self.process.pid), *self.tree().values()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total


def _collect(stream: Iterable[str], lines: list[str]) -> None:
    lines.extend(stream)


def living(processes: dict[int, psutil.Process]) -> list[str]:
    """Return the command lines of those that still run."""
    found = []
    for process in processes.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found


def that_use(home: Path) -> list[str]:
    """Return the command lines of all processes on the machine that work in a home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [*process.cmdline(), process.cwd(), *process.environ().values()]
            if any(str(home) in word for word in words):
                found.append(" ".join(process.cmdline()))
    return found


def wait_for(condition: Callable[[], object], *, seconds: float) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become so in time"
        time.sleep(0.05)
