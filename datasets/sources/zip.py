"""A ZIP as a source: an archive of a stranger, in any layout that a format knows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from datasets.errors import from_storage
from datasets.formats import registry
from datasets.problems import Problems
from datasets.sources.base import MAX_PICTURE_BYTES, Counted, PictureRecord
from jobs.errors import UserError
from storage.archive_checks import ArchiveLimits
from storage.archives import Archive
from storage.errors import StorageError


class ZipTree:
    """The files of an archive by their paths."""

    def __init__(self, archive: Archive, before_read: Callable[[], None]) -> None:
        self._archive = archive
        self._before_read = before_read
        self._members = {member.path: member for member in archive.members}
        self.paths: Sequence[str] = tuple(self._members)

    def size(self, path: str) -> int:
        """Return a file's size in bytes."""
        return self._members[path].size

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes in pieces.

        Raises:
            UserError: `archive_member_damaged`.
        """
        try:
            for chunk in self._archive.chunks(self._members[path]):
                self._before_read()
                yield chunk
        except StorageError as error:
            raise from_storage(error) from error

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes.

        Raises:
            UserError: `archive_member_too_large`, `archive_member_damaged`.
        """
        self._before_read()
        try:
            return self._archive.read(self._members[path], limit)
        except StorageError as error:
            raise from_storage(error) from error


class ZipSource:
    """An open ZIP, understood. Close it when done."""

    layout: Mapping[str, Any]
    classes: tuple[str, ...]
    total: int

    def __init__(
        self,
        file: Path | IO[bytes],
        limits: ArchiveLimits | None = None,
        *,
        before_read: Callable[[], None] = lambda: None,
    ) -> None:
        """Open an archive and understand what is in it; pictures are not read yet.

        Args:
            file: a path, or a file that can be read and sought; the caller closes the file.
            limits: how much it may hold.
            before_read: called before each file is read; what it raises ends the work.

        Raises:
            UserError: why it cannot be imported.
        """
        self.problems = Problems()
        self._before_read = before_read
        try:
            self._archive = Archive(file, limits)
        except StorageError as error:
            raise from_storage(error) from error
        try:
            self._understand()
        except BaseException:
            self._archive.close()
            raise

    def _understand(self) -> None:
        for left in self._archive.left_out:
            self.problems.add(left.code, left.path)
        self._tree = ZipTree(self._archive, self._before_read)
        if not self._tree.paths and self.problems.count("nested_archive"):
            raise UserError("archive_only_archives")
        self._found = registry.understand(self._tree, self.problems)
        self.layout = self._found.layout
        self.classes = self._found.classes
        self.total = self._found.total

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._archive.close()

    def records(self) -> Iterator[PictureRecord]:
        """Yield the pictures in the order of the archive; labels are read on the way."""
        return self._found.records()

    def read_picture(self, record: PictureRecord) -> bytes:
        """Return the bytes of a picture.

        Raises:
            UserError: it is damaged or too large; the others can still be read.
        """
        return self._tree.read(record.key, MAX_PICTURE_BYTES)

    def digest_of(self, record: PictureRecord) -> None:
        """Return nothing: only reading its bytes tells what a picture in an archive is."""

    def closing(self, counted: Counted) -> None:
        """Leave it: an archive has no counts of its own."""
