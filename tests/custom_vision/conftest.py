"""What the tests of Custom Vision share: an emulator with a project in it, and how to import it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import User
from datasets import services
from datasets.custom_vision_preview import address_of
from datasets.models import Import
from datasets.sources.custom_vision import calls, tries
from datasets.sources.custom_vision.service import Service
from datasets.tasks import run_import
from projects.models import Project
from tests.custom_vision.emulator import KEY, Emulator
from tests.datasets.importing import distinct_jpeg, fresh

BEER, CAN = "Bia chai", "Bia lon"

ImportIt = Callable[..., Import]


def fill(emulator: Emulator, count: int) -> None:
    """Give a project two tags, and pictures with a box each."""
    tags = [emulator.add_tag(BEER), emulator.add_tag(CAN)]
    for number in range(count):
        box = (tags[number % 2], 0.2, 0.3, 0.25, 0.5)
        emulator.add_picture(distinct_jpeg(number), (64 + number % 7, 48), [box])


def service_of(emulator: Emulator, *, patience: float = 3.0) -> Service:
    """Return what an import asks for the emulator's project."""
    address = address_of(emulator.endpoint, emulator.project)
    return Service(address, KEY, wait=lambda seconds, _: time.sleep(seconds), patience=patience)


@pytest.fixture
def emulator(settings: Any) -> Iterator[Emulator]:
    """A project without tags and pictures."""
    settings.CUSTOM_VISION_HOSTS = ["127.0.0.1"]
    with Emulator() as started:
        yield started


@pytest.fixture
def queue_it(project: Project, owner: User, no_delivery: None, emulator: Emulator) -> ImportIt:
    """Queue the import of the emulator's project."""

    def queue(**options: Any) -> Import:
        address = address_of(emulator.endpoint, emulator.project)
        values = {"training_key": KEY, "dataset_name": "Kệ", **options}
        return services.create_custom_vision_import(
            project=project, user=owner, address=address, **values
        )

    return queue


@pytest.fixture
def import_it(queue_it: ImportIt) -> ImportIt:
    """Import the emulator's project as a worker does."""

    def bring_in(**options: Any) -> Import:
        job = queue_it(**options)
        run_import(str(job.pk))
        return fresh(job)

    return bring_in


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less between two tries than with the real one."""
    monkeypatch.setattr(calls, "_FIRST_WAIT", 0.05)
    monkeypatch.setattr(tries, "_WAITS", (0.02, 0.02, 0.02))
    monkeypatch.setattr("datasets.custom_vision._PATIENCE", 3.0)


@pytest.fixture
def no_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait in the database; the test does their work itself."""
    monkeypatch.setattr("jobs.queue.deliver", lambda job, **_: True)


@pytest.fixture
def search_everything(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[str]]:
    """Search database, files, log, arguments and environments of processes for a text."""
    caplog.set_level("DEBUG")

    def search(text: str) -> list[str]:
        found = [f"table {name}" for name in _tables_with(text)]
        needle = text.encode()
        for path in Path(settings.HOME).rglob("*"):
            with suppress(OSError):  # a folder, or gone meanwhile
                found += [str(path)] if needle in path.read_bytes() else []
        if text in caplog.text:
            found.append("log")
        for process in Path("/proc").glob("[0-9]*"):
            for path in (process / "cmdline", process / "environ"):
                with suppress(OSError):  # ended meanwhile
                    found += [str(path)] if needle in path.read_bytes() else []
        return found

    return search


def _tables_with(text: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                values = (bytes(v) if isinstance(v, memoryview) else v for v in row)
                if any(text in str(v) or text.encode() == v for v in values):
                    yield table
