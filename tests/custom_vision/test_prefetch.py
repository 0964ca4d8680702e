"""Pictures that are fetched ahead: in order, and never more in memory than is allowed."""

import threading
import time
from collections.abc import Iterator

import pytest

from datasets.sources.custom_vision import prefetch
from datasets.sources.custom_vision.downloads import CONNECTIONS
from datasets.sources.custom_vision.prefetch import Prefetch

_SIZE = 1000
_MOST = 20 * _SIZE


class Held:
    """Gives pictures, and counts the bytes of those that were not read yet."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def fetch(self, uri: str) -> bytes:
        with self._lock:
            self.now += _SIZE
            self.most = max(self.most, self.now)
        return uri.encode().ljust(_SIZE)

    def release(self) -> None:
        with self._lock:
            self.now -= _SIZE


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    monkeypatch.setattr(prefetch, "_MOST_BYTES", _MOST)
    monkeypatch.setattr(prefetch, "_FIRST_GUESS", _SIZE // 10)
    return Held()


@pytest.fixture
def pictures(held: Held) -> Iterator[Prefetch]:
    found = Prefetch(held.fetch, lambda keys: {}, lambda: None)
    for number in range(300):
        found.want(f"{number}", f"uri {number}")
    yield found
    found.end()


def test_they_come_in_order_within_bounds(pictures: Prefetch, held: Held) -> None:
    for number in range(300):
        if number % 50 == 0:
            time.sleep(0.05)  # a chunk is stored: as much comes meanwhile as may
        assert pictures.read(f"{number}").strip() == f"uri {number}".encode()
        held.release()
    # Each connection may have begun just before the bound was reached.
    assert _MOST < held.most <= _MOST + (CONNECTIONS + 1) * _SIZE


def test_what_nobody_reads_makes_room(pictures: Prefetch, held: Held) -> None:
    time.sleep(0.05)
    assert pictures.read("299").strip() == b"uri 299"
    pictures.want("more", "uri more")
    assert pictures.read("more").strip() == b"uri more"
    assert pictures._room._bytes == 0
