"""Part of a stored file as a stream, without fetching the rest of it."""

from typing import Any, Protocol, cast

from django.core.files.storage import Storage


class Stream(Protocol):
    """Bytes that are read once, from front to back."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""

    def close(self) -> None:
        """Give back what it holds."""


class StoredFile(Protocol):
    """A file in a storage, as a model's FileField gives it."""

    @property
    def name(self) -> str | None:
        """The name in the storage."""

    @property
    def storage(self) -> Storage:
        """Where it is."""


def open_range(storage: Storage, name: str, start: int, length: int) -> Stream:
    """Open `length` bytes of a stored file from `start` on; the caller closes the stream.

    On S3 the library's own file would first fetch the whole object into memory.

    Raises:
        FileNotFoundError: there is no such file.
    """
    file = storage.open(name, "rb")
    remote: Any = getattr(file, "obj", None)
    if remote is None:
        file.seek(start)
        return cast(Stream, file)
    if length == 0:
        return cast(Stream, file)
    return cast(Stream, remote.get(Range=f"bytes={start}-{start + length - 1}")["Body"])
