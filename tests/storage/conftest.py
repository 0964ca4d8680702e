"""Both kinds of storage: the file system, and a real S3 server."""

from pathlib import Path

import pytest
from django.core.files.storage import Storage

from storage.disk import DiskStorage


@pytest.fixture(params=["local", "s3"])
def any_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Each of the storages that STORAGE_URL may name."""
    if request.param == "local":
        return DiskStorage(str(tmp_path))
    return request.getfixturevalue("s3_storage")
