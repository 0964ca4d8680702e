"""What an archive says about itself, checked before anything in it is unpacked.

The checks need the list of entries alone, so that a bomb of any size is refused in the time that
reading this list takes.
"""

import stat
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from storage.archive_names import printable
from storage.errors import StorageError

_MIB = 1024 * 1024
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64_SIZE = 20
_ENTRY = struct.Struct("<4s24x3H12x")
_LOCAL_HEADER_SIZE = 30
_LONGEST_COMMENT = 65_535
_ENCRYPTED = 0x1 | 0x40 | 0x2000
#: The two that every program writes. The library unpacks the others without a bound on memory.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OTHER_FORMATS = (b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True)
class ArchiveLimits:
    """How much an archive may hold.

    Attributes:
        entries: files and folders; a labelled picture takes two, and a version has 100,000. Their
            list is in memory for a moment, at a kilobyte each.
        total_bytes: sum of the unpacked sizes.
        ratio: unpacked to packed size, of an entry and of the whole.
        harmless_bytes: below this any ratio is fine; text of equal lines packs very well.
        list_bytes: size of the list of entries, which is read into memory.
    """

    entries: int = 250_000
    total_bytes: int = 64 * 1024 * _MIB
    ratio: int = 200
    harmless_bytes: int = _MIB
    list_bytes: int = 64 * _MIB


def check_format(file: IO[bytes]) -> None:
    """Refuse what is no ZIP, each with its own reason.

    Raises:
        StorageError: `archive_empty_file`, `archive_lfs_pointer`, `archive_other_format`.
    """
    file.seek(0)
    start = file.read(64)
    if not start:
        raise StorageError("archive_empty_file")
    if start.startswith(b"version https://git-lfs"):
        raise StorageError("archive_lfs_pointer")
    if start.startswith(_OTHER_FORMATS):
        raise StorageError("archive_other_format")


def check_entry_count(file: IO[bytes], limits: ArchiveLimits) -> None:
    """Count the entries before a list of them is made; the count the archive claims may lie.

    Raises:
        StorageError: `archive_not_zip`, `archive_truncated`, `archive_too_many_entries`.
    """
    at, size, claimed = _find_list(file)
    entries = claimed
    if size <= limits.list_bytes:
        file.seek(at)
        entries = max(claimed, _count_entries(file.read(size)))
    if entries > limits.entries or size > limits.list_bytes:
        raise StorageError("archive_too_many_entries", entries=entries, limit=limits.entries)


def _find_list(file: IO[bytes]) -> tuple[int, int, int]:
    """Return (offset, size, claimed count) of the list of entries, where zipfile finds it too."""
    length = file.seek(0, 2)
    tail_at = max(0, length - _END.size - _LONGEST_COMMENT)
    file.seek(tail_at)
    tail = file.read()
    found = tail.rfind(b"PK\5\6")
    if found < 0 or found + _END.size > len(tail):
        raise _no_list(file)
    *_, claimed, size, _offset, _comment = _END.unpack_from(tail, found)
    end_at = tail_at + found
    if wide := _find_wide_list(file, end_at):
        end_at, size, claimed = wide
    if size > end_at:
        raise StorageError("archive_truncated")
    return end_at - size, size, claimed


def _find_wide_list(file: IO[bytes], end_at: int) -> tuple[int, int, int] | None:
    """Return (end, size, claimed count) from the 64-bit record, if there is one."""
    start = end_at - _LOCATOR64_SIZE - _END64.size
    if start < 0:
        return None
    file.seek(start)
    record = file.read(_END64.size + _LOCATOR64_SIZE)
    if record[_END64.size :][:4] != b"PK\6\7" or record[:4] != b"PK\6\6":
        return None
    *_, claimed, size, _offset = _END64.unpack_from(record)
    return start, size, claimed


def _no_list(file: IO[bytes]) -> StorageError:
    file.seek(0)
    is_zip = file.read(4) == b"PK\3\4"
    return StorageError("archive_truncated" if is_zip else "archive_not_zip")


def _count_entries(listing: bytes) -> int:
    at = entries = 0
    while at + _ENTRY.size <= len(listing):
        signature, name, extra, comment = _ENTRY.unpack_from(listing, at)
        if signature != b"PK\1\2":
            break
        at += _ENTRY.size + name + extra + comment
        entries += 1
    return entries


def check_entry(entry: zipfile.ZipInfo, limits: ArchiveLimits) -> None:
    """Refuse an entry that is locked, no plain file, packed unusually, or swells too much.

    Raises:
        StorageError: `archive_encrypted`, `archive_special_file`, `archive_method`, `archive_bomb`.
    """
    if entry.flag_bits & _ENCRYPTED:
        raise StorageError("archive_encrypted", name=_shown(entry.filename))
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise StorageError("archive_special_file", name=_shown(entry.filename))
    if entry.compress_type not in _METHODS:
        raise StorageError("archive_method", name=_shown(entry.filename))
    _check_ratio(entry.file_size, entry.compress_size, entry.filename, limits)


def check_whole(entries: Sequence[zipfile.ZipInfo], end: int, limits: ArchiveLimits) -> None:
    """Refuse an archive whose entries are too much together, or share their packed bytes.

    Args:
        entries: all entries.
        end: where the packed bytes end and the list of entries starts.
        limits: what is allowed.

    Raises:
        StorageError: `archive_too_large`, `archive_bomb`, `archive_overlap`, `archive_truncated`.
    """
    total = sum(entry.file_size for entry in entries)
    if total > limits.total_bytes:
        gigabytes = {"gigabytes": _gigabytes(total), "limit": _gigabytes(limits.total_bytes)}
        raise StorageError("archive_too_large", **gigabytes)
    _check_ratio(total, sum(entry.compress_size for entry in entries), "*", limits)
    _check_overlap(entries, end)


def _check_ratio(size: int, packed: int, name: str, limits: ArchiveLimits) -> None:
    if size > limits.harmless_bytes and size > limits.ratio * packed:
        raise StorageError("archive_bomb", name=_shown(name), limit=limits.ratio)


def _check_overlap(entries: Sequence[zipfile.ZipInfo], end: int) -> None:
    free_from = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < free_from:
            raise StorageError("archive_overlap", name=_shown(entry.filename))
        name_bytes = len(entry.orig_filename)
        free_from = entry.header_offset + _LOCAL_HEADER_SIZE + name_bytes + entry.compress_size
    if free_from > end:
        raise StorageError("archive_truncated")


def _shown(name: str) -> str:
    return printable(name)[:100]


def _gigabytes(size: int) -> float:
    return round(size / 1024**3, 1)
