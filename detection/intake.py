"""Pictures that come in: taken from a request, or from its ZIP, and stored as they are."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.core.files import File

import detection.errors  # noqa: F401  registers the codes
from datasets.errors import from_storage
from datasets.formats.base import OTHER_PICTURE_SUFFIXES, is_picture, suffix_of
from datasets.sources.base import MAX_PICTURE_BYTES
from detection import picture_files
from detection.models import DetectionImage, detections_storage
from jobs.errors import UserError
from storage.archive_checks import ArchiveLimits
from storage.archives import Archive, Member
from storage.errors import StorageError
from storage.local import put_file

#: Pictures of one request; more belong into several, so that each answers soon.
MOST_PICTURES = 200
_MOST_ENTRIES = 5_000
_MOST_ZIP_BYTES = 2 * 1024**3
#: What is wrong with one picture alone; anything else, such as a full disk, ends the request.
_OF_ONE_PICTURE = frozenset({"archive_member_damaged"})


@dataclass
class StoredPictures:
    """Pictures of a detection to come: their files are stored, their rows are not yet.

    Attributes:
        detection_id: the id that the detection has to get.
        is_taken: there is a detection now that owns the files.
    """

    detection_id: uuid.UUID = field(default_factory=uuid.uuid4)
    rows: list[DetectionImage] = field(default_factory=list)
    is_taken: bool = False


@contextmanager
def stored_pictures(pictures: Sequence[Any]) -> Iterator[StoredPictures]:
    """Store pictures outside of any transaction; at the end they go, unless they were taken.

    Args:
        pictures: files with `name` and `size`; nothing in them is trusted, the worker looks at
            each.

    Raises:
        UserError: no pictures, too many, or the disk is full.
    """
    if not pictures:
        raise UserError("no_picture_sent")
    _check_count(len(pictures))
    stored = StoredPictures()
    try:
        _store_all(stored, pictures)
        yield stored
    except BaseException:
        # Whatever took them was rolled back.
        stored.is_taken = False
        raise
    finally:
        if not stored.is_taken:
            picture_files.remove_pictures(stored.detection_id)


def unpack(files: Sequence[Any]) -> list[Any]:
    """Return the pictures that a request brought: its files, or what is in its one ZIP.

    Raises:
        UserError: the ZIP is refused, or holds too much.
    """
    if len(files) != 1 or not _is_zip(files[0]):
        return list(files)
    limits = ArchiveLimits(entries=_MOST_ENTRIES, total_bytes=_MOST_ZIP_BYTES)
    try:
        archive = Archive(files[0], limits)
    except StorageError as error:
        raise from_storage(error) from error
    members = [member for member in archive.members if _is_meant_as_picture(member.path)]
    _check_count(len(members))
    return [_Member(archive, member) for member in members]


def display_name(name: str | None) -> str:
    """Return a file's name as people know it, without folders and control characters."""
    base = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(letter for letter in base if letter.isprintable())[:255] or "picture"


def _check_count(count: int) -> None:
    if count > MOST_PICTURES:
        raise UserError("too_many_pictures", count=count, limit=MOST_PICTURES)


def _store_all(stored: StoredPictures, pictures: Sequence[Any]) -> None:
    try:
        for index, picture in enumerate(pictures):
            stored.rows.append(_store(stored.detection_id, index, picture))
    except StorageError as error:
        raise from_storage(error) from error


def _store(detection_id: uuid.UUID, index: int, picture: Any) -> DetectionImage:
    """Store one picture; one that cannot be used gets its error and no file."""
    row = DetectionImage(
        detection_id=detection_id, index=index, file_name=display_name(picture.name)
    )
    if picture.size > MAX_PICTURE_BYTES:
        row.error = UserError("picture_too_large").as_row()
        return row
    name = picture_files.came_in_name(row)
    try:
        put_file(detections_storage(), name, picture.chunks(), durable=False)
    except StorageError as error:
        if error.code not in _OF_ONE_PICTURE:
            raise
        row.error = from_storage(error).as_row()
        return row
    row.file.name = name
    return row


def _is_meant_as_picture(path: str) -> bool:
    """Tell pictures by their names; those of formats that we do not take are told why later."""
    return is_picture(path) or suffix_of(path) in OTHER_PICTURE_SUFFIXES


def _is_zip(file: Any) -> bool:
    start = file.read(4)
    file.seek(0)
    return bool(start == b"PK\x03\x04")


class _Member(File):  # type: ignore[type-arg]
    """A picture in a ZIP, read only when it is stored."""

    def __init__(self, archive: Archive, member: Member) -> None:
        super().__init__(None, name=member.path)
        self.size = member.size
        self._archive, self._member = archive, member

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield its bytes.

        Raises:
            StorageError: `archive_member_damaged`.
        """
        return self._archive.chunks(self._member)
