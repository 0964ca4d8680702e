"""A portal of its own for a benchmark: an empty home, a free port, and a client for it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from samples.client import Client
from samples.demo_settings import IMAGES, SEED, SIZE
from samples.shelf_scenes import write_sample_zip

ROOT = Path(__file__).resolve().parent.parent
#: Of the user `admin`.
PASSWORD = "benchmark-only"
_READY_SECONDS = 120.0


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

        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it may end at any moment
                line = " ".join(process.cmdline())
                found += [process.pid] if all(word in line for word in words) else []
        return found


@contextmanager
def portal(**environment: str) -> Iterator[Portal]:
    """Start a portal, give it to the benchmark, and leave nothing behind."""
    home = Path(tempfile.mkdtemp(prefix="cvt-bench-"))
    port = free_port()
    values = {
        **os.environ,
        "CVTRAINER_HOME": str(home),
        "CVTRAINER_PORT": str(port),
        "CVTRAINER_ADMIN_PASSWORD": PASSWORD,
        **environment,
    }
    log = (home / "portal.log").open("wb")
    command = [sys.executable, "manage.py", "up"]
    process = subprocess.Popen(command, cwd=ROOT, env=values, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    started = Portal(Client(url, ""), process, home, values)
    try:
        _wait(f"{url}/readyz", process, home / "portal.log")
        scopes = "read,import,train,detect,manage"
        token = started.manage("create_token", "admin", "--scopes", scopes, "--days", "1")
        started.client = Client(url, token)
        yield started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        log.close()
        shutil.rmtree(home, ignore_errors=True)


def signed_in(running: Portal) -> requests.Session:
    """Return a session in which `admin` has signed in, as a browser has it."""
    session = requests.Session()
    address = f"{running.client.url}/accounts/login/"
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', session.get(address).text)
    assert token is not None
    form = {"login": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
    session.post(address, data=form, headers={"Referer": address}).raise_for_status()
    return session


@dataclass(frozen=True)
class Imported:
    """What an import made: the ids of its project and version."""

    project: str
    version: str


def import_zip(running: Portal, archive: Path) -> Imported:
    """Import a ZIP into a project of its own."""
    client = running.client
    project = client.post("projects/", {"name": archive.stem})["id"]
    fields = {"project": project, "dataset_name": "sample", "source": "zip", "split_ratio": 0.2}
    begun = client.upload("imports/", fields, [("file", archive)])
    done = _succeeded(client.wait(f"imports/{begun['id']}/"))
    return Imported(project, done["dataset_version"])


def import_sample(running: Portal, folder: Path) -> Imported:
    """Draw the demo's sample and import it."""
    archive = folder / "sample.zip"
    write_sample_zip(archive, images=IMAGES, seed=SEED, size=SIZE)
    return import_zip(running, archive)


def trained_model(running: Portal, data: Imported, body: Mapping[str, Any]) -> str:
    """Train and return the id of the model."""
    wanted = {"project": data.project, "dataset_version": data.version, **body}
    begun = running.client.post("training-runs/", wanted)
    return str(_succeeded(running.client.wait(f"training-runs/{begun['id']}/"))["model"])


def _succeeded(job: dict[str, Any]) -> dict[str, Any]:
    if job["status"] != "succeeded":
        raise SystemExit(f"A job of the benchmark did not succeed: {job['status']} {job['error']}")
    return job


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"The portal of the benchmark did not start:\n{log.read_text()}")
        with suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.2)
    raise SystemExit("The portal of the benchmark was not ready in time.")


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
