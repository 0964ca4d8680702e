"""Both kinds of storage: the file system, and a real S3 server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import Storage
from django.utils.module_loading import import_string

from cvtrainer_site import env
from storage.disk import DiskStorage
from tests.services.s3 import BUCKET, S3Server, Unavailable


@pytest.fixture(params=["local", "s3"])
def any_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Each of the storages that STORAGE_URL may name."""
    if request.param == "local":
        return DiskStorage(str(tmp_path))
    return request.getfixturevalue("s3_storage")


@pytest.fixture(scope="session")
def s3_storage(s3_server: S3Server) -> Storage:
    """A bucket, reached as the settings would; what earlier tests stored is still there."""
    storage = reach(s3_server)
    storage.connection.create_bucket(Bucket=BUCKET)
    return storage


def reach(server: S3Server, bucket: str = BUCKET) -> Any:
    """Return the storage that the settings would make of a server's address."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("STORAGE_URL", server.url.replace(f"/{BUCKET}?", f"/{bucket}?"))
        entry = env.storages(("images",))["images"]
    return import_string(str(entry["BACKEND"]))(**entry["OPTIONS"])


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One S3 server for the whole session."""
    try:
        server = S3Server(tmp_path_factory.mktemp("s3"))
    except Unavailable as reason:
        pytest.skip(str(reason))
    try:
        server.wait()
        yield server
    finally:
        server.stop()
