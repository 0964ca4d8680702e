"""Starts the portal's own programs as processes, on the database and the Valkey of the test."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

_ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """Return the DATABASE_URL of the database that the test's own ORM writes to."""
    from django.db import connection

    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    return f"postgres://{found['USER']}:{found['PASSWORD']}@/{found['HOST']}/{found['NAME']}"


class Programs:
    """Every process that a test started; all of them end with the test."""

    def __init__(self, *, redis_url: str, **environment: str) -> None:
        self.environment = {
            **os.environ,
            "CVTRAINER_TEST_CHILD": "1",
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url(),
            "REDIS_URL": redis_url,
            "CVTRAINER_LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self.started: list[subprocess.Popen[bytes]] = []

    def manage(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start `manage.py` with these arguments."""
        return self.python("manage.py", *arguments, **environment)

    def worker(self, queue: str = "imports", **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker on a queue."""
        return self.manage("run_worker", queue, **environment)

    def reconciler(self, interval: float = 0.3, **environment: str) -> subprocess.Popen[bytes]:
        """Start the reconciler with short passes."""
        return self.manage("reconcile_jobs", "--loop", "--interval", str(interval), **environment)

    def python(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start Python in the checkout, in a process group of its own."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=_ROOT,
            env={**self.environment, **environment},
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """Kill what still runs, with its children."""
        for process in self.started:
            for victim in [*children(process.pid), process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
            process.wait(timeout=10)


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
