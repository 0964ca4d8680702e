"""Written files go to the disk steadily, and what nobody reads soon leaves the system's cache."""

import ctypes
import mmap
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.core.files.storage import FileSystemStorage

from storage import settling
from storage.local import put_file
from storage.upload_handler import SteadyUploadHandler

_MIB = 1024**2
_libc = ctypes.CDLL(None, use_errno=True)


def resident_share(path: Path) -> float:
    """Return how much of a file is in the system's cache, from 0 to 1."""
    size = path.stat().st_size
    pages = (ctypes.c_ubyte * (-(-size // mmap.PAGESIZE)))()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size) as mapped:
        held = (ctypes.c_char * size).from_buffer(mapped)
        failed = _libc.mincore(ctypes.byref(held), ctypes.c_size_t(size), pages)
        del held
    assert not failed
    return sum(page & 1 for page in pages) / len(pages)


def file_system(path: Path) -> str:
    """Return the kind of the file system on which a path lies."""
    parts = [
        part for part in psutil.disk_partitions(all=True) if path.is_relative_to(part.mountpoint)
    ]
    return max(parts, key=lambda part: len(part.mountpoint)).fstype


def test_one_of_many_is_stored_whole_and_leaves_the_cache() -> None:
    storage = FileSystemStorage(Path(settings.HOME) / "settling")
    content = bytes(range(256)) * 4096 * 4
    for name, one_of_many in (("kept", False), ("left", True)):
        put_file(storage, name, [content], durable=False, one_of_many=one_of_many)
    shares = [resident_share(Path(storage.path(name))) for name in ("kept", "left")]
    assert Path(storage.path("left")).read_bytes() == content
    if (kind := file_system(Path(settings.HOME))) in {"tmpfs", "overlay"}:
        pytest.skip(f"{kind} has no cache of its own that could be left")
    assert shares[0] == 1
    assert shares[1] < 0.1


def test_small_files_stay() -> None:
    storage = FileSystemStorage(Path(settings.HOME) / "settling")
    put_file(storage, "small", [b"x" * 20_000], durable=False, one_of_many=True)
    assert resident_share(Path(storage.path("small"))) == 1


def test_an_upload_is_written_steadily(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    real = settling.begin

    def begin(descriptor: int) -> None:
        begun.append(Path(f"/proc/self/fd/{descriptor}").stat().st_size)
        real(descriptor)

    monkeypatch.setattr(settling, "begin", begin)
    handler = SteadyUploadHandler()
    handler.new_file("file", "photos.zip", "application/zip", None, None)
    piece = bytes(range(256)) * 40_000
    for number in range(8):
        handler.receive_data_chunk(piece, number * len(piece))
    file = handler.file_complete(8 * len(piece))
    assert file.read() == piece * 8
    file.close()
    assert begun == [4 * len(piece), 8 * len(piece)]
