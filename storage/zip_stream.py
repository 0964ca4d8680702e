"""A ZIP made while it is sent: nothing of it is kept, neither in memory nor on disk."""

import io
import zipfile
from collections.abc import Generator, Iterable
from dataclasses import dataclass

#: The same content makes the same archive, whenever it is asked for.
_DATE = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = 0o100644 << 16


@dataclass(frozen=True)
class ZipMember:
    """A file to come: its path in the archive and its bytes, taken only when its turn comes."""

    path: str
    chunks: Iterable[bytes]
    compress: bool = False


def zip_chunks(members: Iterable[ZipMember]) -> Generator[bytes]:
    """Yield an archive piece by piece; pictures are packed already and only stored.

    A member whose chunks fail ends the archive without its list of entries: whoever receives it
    sees that it is broken.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for member in members:
            with archive.open(_entry(member), "w", force_zip64=True) as file:
                for chunk in member.chunks:
                    file.write(chunk)
                    yield from pipe.take()
    yield from pipe.take()


def _entry(member: ZipMember) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(member.path, _DATE)
    entry.external_attr = _PLAIN_FILE
    entry.compress_type = zipfile.ZIP_DEFLATED if member.compress else zipfile.ZIP_STORED
    return entry


class _Pipe(io.RawIOBase):
    """What is written here waits to be taken; there is no going back."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        self._waiting += data
        return len(data)

    def take(self) -> list[bytes]:
        """Return what was written since the last time, in one piece, or nothing."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        return [taken] if taken else []
