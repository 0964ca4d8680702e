"""Uploads in parts: bytes go to a file, and only when they are safe does the row say so.

A process may be killed between the two. Then the file has more than the row knows of: that is cut
off before the next bytes are added. Parts lie in the local folder of uploads, or, with S3, in the
data home; only a file that is whole goes to S3.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

import datasets.errors  # noqa: F401  registers the codes
from accounts.models import User
from datasets.models import Upload, uploads_storage
from datasets.models.uploads import KEPT
from datasets.names import file_name
from datasets.uploads import StoredUpload
from jobs.errors import UserError
from projects.models import Project
from storage.local import put_file

_CHUNK = 1024 * 1024
#: Always left for the database.
_RESERVE = 64 * _CHUNK


def begin_upload(*, user: User, project: Project | None, name: str, length: int) -> Upload:
    """Make room for a file of so many bytes.

    Raises:
        UserError: `upload_too_large`, `upload_quota`, `upload_no_room`.
    """
    if length > settings.MAX_UPLOAD_BYTES:
        raise UserError("upload_too_large", limit=settings.MAX_UPLOAD_BYTES // 1024**2)
    mine = Upload.objects.filter(touched_at__gt=timezone.now() - KEPT)
    mine = mine.filter(project=project) if project else mine.filter(project=None, user=user)
    promised = mine.aggregate(sum=Sum("length"))["sum"] or 0
    if promised + length > settings.UPLOAD_QUOTA_BYTES:
        raise UserError("upload_quota", limit=settings.UPLOAD_QUOTA_BYTES // 1024**2)
    if length > shutil.disk_usage(_folder()).free - _RESERVE:
        raise UserError("upload_no_room")
    return Upload.objects.create(
        user=user, project=project, file_name=file_name(name) if name else "", length=length
    )


def append(upload: Upload, offset: int, content: IO[bytes]) -> Upload:
    """Add bytes behind those that are here.

    Raises:
        UserError: `upload_offset`, they belong elsewhere; `upload_busy`, others are being added;
            `upload_too_long`, more came than was announced: none of them is kept.
    """
    with _locked(upload) as file:
        upload.refresh_from_db()
        if offset != upload.offset:
            raise UserError("upload_offset", offset=upload.offset)
        file.truncate(offset)
        file.seek(offset)
        try:
            _copy(content, file, upload.length - offset)
        except UserError:
            file.truncate(offset)
            raise
        file.flush()
        os.fsync(file.fileno())
        upload.offset, upload.touched_at = file.tell(), timezone.now()
        upload.save(update_fields=["offset", "touched_at"])
    return upload


def end_upload(upload: Upload) -> None:
    """Remove an upload with its bytes."""
    upload_id = upload.pk
    upload.delete()
    _path(upload_id).unlink(missing_ok=True)


def remove_expired() -> None:
    """Remove uploads that nobody went on with, and files without a row."""
    for upload in Upload.objects.filter(touched_at__lte=timezone.now() - KEPT):
        end_upload(upload)
    known = {f"{pk}" for pk in Upload.objects.values_list("pk", flat=True)}
    old = (timezone.now() - KEPT).timestamp()
    for path in _folder().iterdir():
        with suppress(FileNotFoundError):
            if path.name not in known and path.stat().st_mtime < old:
                path.unlink()


@contextmanager
def taken_upload(upload: Upload) -> Iterator[StoredUpload]:
    """Give a whole upload to an import; it stays what it was where the import is not made.

    Raises:
        UserError: `upload_incomplete`, `storage_full`.
    """
    if not upload.is_complete:
        raise UserError("upload_incomplete", offset=upload.offset, length=upload.length)
    stored = StoredUpload(upload.file_name)
    _put(_path(upload.pk), stored.name)
    try:
        yield stored
    except BaseException:
        # Whatever took it was rolled back.
        stored.is_taken = False
        raise
    finally:
        if stored.is_taken:
            end_upload(upload)
        else:
            uploads_storage().delete(stored.name)


def _put(source: Path, name: str) -> None:
    """Bring a file into the storage; on the same disk it only gets a second name."""
    storage = uploads_storage()
    source.touch()  # an upload of no bytes has no file yet
    with suppress(NotImplementedError, OSError):
        target = Path(storage.path(name))
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.hardlink_to(source)
        return
    with source.open("rb") as file:
        put_file(storage, name, _chunks(file))


@contextmanager
def _locked(upload: Upload) -> Iterator[Any]:
    descriptor = os.open(_path(upload.pk), os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError("upload_busy") from error
        yield file


def _copy(source: IO[bytes], target: IO[bytes], most: int) -> None:
    for chunk in _chunks(source):
        most -= len(chunk)
        if most < 0:
            raise UserError("upload_too_long")
        target.write(chunk)


def _chunks(file: IO[bytes]) -> Iterable[bytes]:
    return iter(lambda: file.read(_CHUNK), b"")


def _path(upload_id: Any) -> Path:
    return _folder() / str(upload_id)


def _folder() -> Path:
    try:
        folder = Path(uploads_storage().path("parts"))
    except NotImplementedError:
        folder = Path(settings.HOME) / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
