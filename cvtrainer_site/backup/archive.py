"""The tar file: members streamed one after the other, their checksums as the last member."""

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_CHECKSUMS = "checksums.json"
_CHUNK = 1024 * 1024


class BrokenArchive(Exception):
    """The file is no backup, is cut short, or is not what was written; the text says which."""


class _Counting(io.RawIOBase):
    """Reads through to a file and sums up what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sum.update(data)
        return data


class Writer:
    """Writes a backup; only `finish` makes it one."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._sums: dict[str, str] = {}

    def add(self, name: str, file: IO[bytes], size: int) -> None:
        """Add `size` bytes of a file.

        Raises:
            OSError: the file is shorter.
        """
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, int(time.time())
        source = _Counting(file)
        self._tar.addfile(info, source)
        self._sums[name] = source.sum.hexdigest()

    def add_bytes(self, name: str, data: bytes) -> None:
        """Add a small member."""
        self.add(name, io.BytesIO(data), len(data))

    def add_path(self, name: str, path: Path) -> None:
        """Add a file of this machine."""
        with path.open("rb") as file:
            self.add(name, file, path.stat().st_size)

    def finish(self) -> int:
        """Write the checksums; return how many members there are."""
        self.add_bytes(_CHECKSUMS, json.dumps(self._sums).encode())
        return len(self._sums) - 1


def verify(path: Path) -> None:
    """Read a whole backup and compare each member with its checksum.

    Raises:
        BrokenArchive: it is not complete and unchanged.
    """
    found: dict[str, str] = {}
    expected: dict[str, str] | None = None
    with _readable():
        for name, file in members(path):
            if name == _CHECKSUMS:
                expected = json.load(file)
            else:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    if expected is None:
        raise BrokenArchive("it is cut short or is no backup of CVTrainer")
    if wrong := sorted(
        name for name in {*found, *expected} if found.get(name) != expected.get(name)
    ):
        raise BrokenArchive(f"{len(wrong)} members are damaged, the first is {wrong[0]}")


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the first member, which says what the backup holds.

    Raises:
        BrokenArchive: there is none.
    """
    with _readable():
        for name, file in members(path):
            if name != "manifest.json":
                break
            manifest: dict[str, Any] = json.load(file)
            return manifest
    raise BrokenArchive("it is no backup of CVTrainer")


def members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and content of each member in order; read it before the next one.

    Raises:
        BrokenArchive: something in it is not a plain file.
        tarfile.TarError: it is not a tar file, or ends early.
    """
    with tarfile.open(path, "r|") as tar:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            if file is None:
                raise BrokenArchive(f"{info.name} is not a plain file")
            yield info.name, file


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BrokenArchive(f"it cannot be read ({error})") from None
