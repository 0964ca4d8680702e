"""A project of 100,000 pictures: so many calls, in bounded memory; few new ones among many."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datasets.sources.custom_vision import calls
from datasets.sources.custom_vision.downloads import PictureClient
from datasets.sources.custom_vision.service import MAX_PAGE
from datasets.sources.custom_vision.source import CustomVisionSource, Known
from tests.custom_vision.conftest import service_of
from tests.custom_vision.emulator import Emulator

MIB = 1024 * 1024
#: Each page but the first brings one picture less: it begins with the last of the one before.
STEP = MAX_PAGE - 1
#: Two pages that wait, and the one that is taken in.
MOST_WAITING = 3 * MAX_PAGE


@pytest.fixture(autouse=True)
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask as fast as the emulator answers: at the real rate 100,000 are listed in 50 seconds."""
    monkeypatch.setattr(calls, "RATE", 1_000_000.0)


@contextmanager
def source_of(emulator: Emulator, known: Known) -> Iterator[CustomVisionSource]:
    client = PictureClient(["127.0.0.1"])
    with CustomVisionSource(
        service_of(emulator), client, include_untagged=False, known=known, before_wait=lambda: None
    ) as source:
        yield source


def fill(emulator: Emulator, pictures: int) -> None:
    tag = emulator.add_tag("Bia")
    for number in range(pictures):
        emulator.add_picture(b"%d" % number, (64, 48), tags=[tag])


@pytest.mark.slow
def test_known_pictures_are_only_listed(emulator: Emulator) -> None:
    pictures = 100_000
    fill(emulator, pictures)
    seen: set[str] = set()
    most_waiting = 0
    before = most_memory = _memory()
    with source_of(emulator, lambda ids: dict.fromkeys(ids, "0" * 64)) as source:
        for number, record in enumerate(source.records()):
            assert source.digest_of(record) == "0" * 64
            seen.add(record.key)
            most_waiting = max(most_waiting, len(source._waiting))
            if number % 1000 == 0:
                most_memory = max(most_memory, _memory())
    assert len(seen) == source.total == pictures
    assert emulator.listed() == -(-(pictures - 1) // STEP) == 393
    assert emulator.fetched().total() == 0
    assert most_waiting <= MAX_PAGE
    # The ids, here and in the listing, and the emulator's log of what it was asked.
    assert most_memory - before < 60 * MIB


@pytest.mark.parametrize("is_private", [False, True])
@pytest.mark.parametrize(("pictures", "one_of", "seconds"), [(1500, 1, 0.0), (4000, 40, 0.02)])
def test_what_waits_is_bounded_however_few_are_new(
    emulator: Emulator, pictures: int, one_of: int, seconds: float, *, is_private: bool
) -> None:
    """Each picture that is read may list a page ahead: with few of them that would be all."""
    fill(emulator, pictures)
    emulator.relative_links = is_private
    new = {picture.id for picture in emulator.pictures[::one_of]}
    most = 0
    known = _all_but(new)
    with source_of(emulator, known) as source:
        for record in source.records():
            most = max(most, len(source._waiting), len(source._prefetch._wanted))
            if source.digest_of(record) is None:
                assert source.read_picture(record).isdigit()
                time.sleep(seconds)  # it is decoded: another page is listed meanwhile
    assert set(emulator.fetched()) == new
    assert most <= MOST_WAITING


def _all_but(new: set[str]) -> Callable[..., dict[str, str]]:
    return lambda ids: {name: "0" * 64 for name in ids if name not in new}


def _memory() -> int:
    """Return the memory of this process now, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
