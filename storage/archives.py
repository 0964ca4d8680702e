"""Safe reading of ZIP archives that strangers made.

Nothing is ever unpacked under a name from the archive: members are streamed to whoever asked, and
names are data. An archive with an entry that points outside, is a link or a device, is locked, or
swells like a bomb is refused as a whole: no honest program writes one, and its other entries
deserve no more trust. What is merely odd (archives inside, two files of one name) is left out and
listed. What operating systems leave behind is passed over in silence.
"""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from storage import archive_checks
from storage.archive_checks import ArchiveLimits
from storage.archive_names import decode_names, is_archive, is_system_file, safe_path
from storage.entry_table import EntryTable
from storage.errors import StorageError

_CHUNK = 256 * 1024
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive.

    Attributes:
        path: composed Unicode with `/` between its parts; unique in the archive, for looking up
            and showing, never for writing to.
        size: unpacked, in bytes, as the archive claims; reading more than this fails.
    """

    path: str
    size: int
    #: In the table of what reading needs.
    place: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An entry that is not read: `nested_archive` or `same_name`."""

    code: str
    path: str


class Archive:
    """An open ZIP whose entries have been checked. Not safe for several threads.

    Attributes:
        members: its files, in the order of the archive.
        left_out: what was passed over, with the reason.
    """

    def __init__(self, source: Path | IO[bytes], limits: ArchiveLimits | None = None) -> None:
        """Open and check an archive.

        Args:
            source: a path, or a file that can be read and sought; the caller closes the file.
            limits: how much it may hold.

        Raises:
            StorageError: why it is refused; see archive_checks.py and archive_names.py.
        """
        self._file: IO[bytes] = source.open("rb") if isinstance(source, Path) else source
        self._owned = isinstance(source, Path)
        try:
            self._zip = _open_checked(self._file, limits or ArchiveLimits())
            self._table = EntryTable()
            self.members, self.left_out = _sort_out(self._zip.filelist, self._table)
            self._zip.filelist.clear()
            self._zip.NameToInfo.clear()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened here."""
        if self._owned:
            self._file.close()

    def chunks(self, member: Member, size: int = _CHUNK) -> Iterator[bytes]:
        """Yield a member's bytes, counted and checked against its sum.

        Raises:
            StorageError: `archive_member_damaged`.
        """
        with _damage_told(member), self._zip.open(self._table[member.place]) as file:
            count = 0
            while chunk := file.read(size):
                count += len(chunk)
                if count > member.size:
                    raise zipfile.BadZipFile("longer than claimed")
                yield chunk
            if count != member.size:
                raise zipfile.BadZipFile("shorter than claimed")

    def read(self, member: Member, limit: int) -> bytes:
        """Return a member's bytes.

        Raises:
            StorageError: `archive_member_too_large` where it has more than `limit` bytes,
                `archive_member_damaged`.
        """
        if member.size > limit:
            raise StorageError("archive_member_too_large", name=member.path, limit=limit)
        # In one piece: it is copied once less.
        return b"".join(self.chunks(member, member.size + 1))


@contextmanager
def _damage_told(member: Member) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise StorageError("archive_member_damaged", name=member.path) from error


def _open_checked(file: IO[bytes], limits: ArchiveLimits) -> zipfile.ZipFile:
    archive_checks.check_format(file)
    archive_checks.check_entry_count(file, limits)
    try:
        opened = zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise StorageError("archive_truncated") from error
    entries = opened.infolist()
    if not entries:
        raise StorageError("archive_without_files")
    for entry in entries:
        archive_checks.check_entry(entry, limits)
    archive_checks.check_whole(entries, opened.start_dir, limits)
    return opened


def _sort_out(
    entries: list[zipfile.ZipInfo], table: EntryTable
) -> tuple[tuple[Member, ...], tuple[LeftOut, ...]]:
    members: dict[str, Member] = {}
    left_out: list[LeftOut] = []
    for entry, name in zip(entries, decode_names(entries), strict=True):
        path = safe_path(name)
        if name.endswith(("/", "\\")) or is_system_file(path):
            continue
        if is_archive(path):
            left_out.append(LeftOut("nested_archive", path))
        elif path in members:
            left_out.append(LeftOut("same_name", path))
        else:
            members[path] = Member(path, entry.file_size, table.add(entry, path))
    return tuple(members.values()), tuple(left_out)
