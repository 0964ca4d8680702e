"""One portal for the tests that only look at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.portal import ROOT, Portal

if not (ROOT / "staticfiles" / "staticfiles.json").is_file():
    collect_ignore_glob = ["test_up*.py"]


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A running portal on a home that was empty before."""
    started = Portal(tmp_path_factory.mktemp("portal"))
    try:
        started.wait_until_ready()
        yield started
        assert started.end() == 0
    finally:
        started.kill_everything()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty data home."""
    return tmp_path / "home"
