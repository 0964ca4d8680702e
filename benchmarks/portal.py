"""A portal of its own for a benchmark: an empty home, a free port, and a client for it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from samples.client import Client

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Portal:
    """A running portal: its client, its process and its home."""

    client: Client
    process: "subprocess.Popen[bytes]"
    home: Path
    environment: dict[str, str]

    def manage(self, *arguments: str) -> str:
        """Run a management command on this portal's home and return what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()

    def pids(self, *words: str) -> list[int]:
        """Return the portal's processes whose command line holds all these words."""
        import psutil

        family = psutil.Process(self.process.pid).children(recursive=True)
        return [p.pid for p in family if all(word in " ".join(p.cmdline()) for word in words)]


@contextmanager
def portal(**environment: str) -> Iterator[Portal]:
    """Start a portal, give it to the benchmark, and leave nothing behind."""
    home = Path(tempfile.mkdtemp(prefix="cvt-bench-"))
    port = _free_port()
    values = {
        **os.environ,
        "CVTRAINER_HOME": str(home),
        "CVTRAINER_PORT": str(port),
        "CVTRAINER_ADMIN_PASSWORD": "benchmark-only",
        **environment,
    }
    log = (home / "portal.log").open("wb")
    command = [sys.executable, "manage.py", "up"]
    process = subprocess.Popen(command, cwd=ROOT, env=values, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    started = Portal(Client(url, ""), process, home, values)
    try:
        _wait(f"{url}/readyz", process)
        scopes = "read,import,train,detect,manage"
        token = started.manage("create_token", "admin", "--scopes", scopes, "--days", "1")
        started.client = Client(url, token)
        yield started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        log.close()
        shutil.rmtree(home, ignore_errors=True)


def _wait(url: str, process: "subprocess.Popen[bytes]", seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("The portal of the benchmark did not start.")
        with suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.2)
    raise SystemExit("The portal of the benchmark was not ready in time.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
