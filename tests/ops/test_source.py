"""The source that the licence promises: whole, without data, secrets or fetched files."""

import io
import zipfile

import pytest
from django.conf import settings
from django.test import Client


@pytest.fixture
def names(db: None) -> set[str]:
    """What is in the ZIP that anybody may fetch."""
    response = Client().get("/source/")
    assert response.status_code == 200
    archive = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))
    assert archive.testzip() is None
    return set(archive.namelist())


def test_it_holds_what_is_needed_to_run_it(names: set[str]) -> None:
    wanted = {"manage.py", "LICENSE", "Makefile", "requirements/dev.lock", "jobs/runner.py"}
    assert {f"cvtrainer/{name}" for name in wanted} <= names


def test_it_holds_no_data_no_secrets_and_no_fetched_files(names: set[str]) -> None:
    forbidden = ("/var/", "/.venv/", "/node_modules/", "/vendor/", "/secrets/", ".pyc", ".sqlite3")
    assert not [name for name in names if any(part in name for part in forbidden)]
    assert str(settings.BASE_DIR) not in "".join(names)
