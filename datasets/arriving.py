"""Files that arrive in pieces: appended, made durable, and only then counted.

The bytes lie in a folder beside the imports, so that an import takes them by a rename. The row's
offset never exceeds what is safely on the disk; what lies behind it was cut off in the middle and
goes before the next piece.
"""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.utils import timezone

import datasets.errors  # noqa: F401  registers the codes
from accounts.models import User
from datasets.models import Upload, uploads_storage
from datasets.names import file_name as fit_name
from datasets.quota import quota_of
from jobs.errors import UserError
from projects.models import Project
from storage.leftovers import OLD

#: How long an upload waits for its next bytes.
KEPT = timedelta(hours=24)
_MIB = 1024 * 1024
#: So much is lost at most where a machine dies while a large piece is written.
_COMMIT_EVERY = 64 * _MIB
#: Always left for the database.
_RESERVE = 64 * _MIB
#: Seconds between two looks whether a file is free.
_LOOK_AGAIN = 0.05
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Source(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; nothing at the end."""


def create_upload(*, user: User, project: Project | None, file_name: str, length: int) -> Upload:
    """Begin an upload of so many bytes.

    Raises:
        RequestDataTooBig: larger than this server takes.
        UserError: `upload_quota`, or `storage_full`.
    """
    if length > settings.MAX_UPLOAD_BYTES:
        raise RequestDataTooBig
    _check_room(length)
    with transaction.atomic():
        # Whoever else begins one here waits, so that the sum is right.
        owners = (
            Project.objects.filter(pk=project.pk) if project else User.objects.filter(pk=user.pk)
        )
        owners.select_for_update(no_key=True).first()
        quota_of(project, user).check(length)
        upload: Upload = Upload.objects.create(
            user=user,
            project=project,
            file_name=fit_name(file_name),
            length=length,
            expires_at=timezone.now() + KEPT,
        )
    with held(path_of(upload.pk)):
        pass  # there is a file even where not one byte follows
    return upload


def append(upload: Upload, offset: int, source: Source) -> None:
    """Add the bytes of a piece to an upload, and count those that are safely there.

    Where it breaks off in the middle, what came before stays.

    Args:
        offset: where the sender believes that the upload goes on.

    Raises:
        UserError: `upload_offset`, `upload_busy`, `upload_too_long`, `storage_full`.
        Upload.DoesNotExist: it was removed meanwhile.
    """
    _check_offset(upload, offset)
    if upload.is_complete:
        return
    with held(path_of(upload.pk)) as file:
        # Another piece may have come between the look at the row and the lock.
        upload.refresh_from_db()
        _check_offset(upload, offset)
        if os.fstat(file.fileno()).st_size < offset:
            raise UserError("stored_file_damaged")
        file.truncate(offset)
        file.seek(offset)
        try:
            _copy(upload, file, source)
        except OSError as error:
            if error.errno in _FULL:
                raise UserError("storage_full", free_mb=max(0, _free()) // _MIB) from error
            raise


def remove(upload: Upload) -> None:
    """Forget an upload and its bytes.

    Raises:
        UserError: `upload_busy`.
    """
    path = path_of(upload.pk)
    with held(path):
        Upload.objects.filter(pk=upload.pk).delete()
        path.unlink(missing_ok=True)


def remove_expired() -> int:
    """Remove uploads for which nothing came for long, and bytes that belong to none.

    Returns:
        How many uploads there were.
    """
    gone = 0
    for upload in Upload.objects.filter(expires_at__lte=timezone.now()):
        with suppress(UserError):  # its next piece has just come
            remove(upload)
            gone += 1
    _remove_unowned()
    return gone


def path_of(upload_id: UUID) -> Path:
    """Return where the bytes of an upload lie."""
    return _folder() / f"{upload_id}.part"


@contextmanager
def held(path: Path, *, wait: float = 0) -> Iterator[Any]:
    """Open a file, made where it is missing, that nobody else holds; a kill lets go of it.

    Args:
        wait: seconds to wait for somebody else to let go of it.

    Raises:
        UserError: `upload_busy`.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        _lock(file, time.monotonic() + wait)
        yield file


def _lock(file: Any, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise UserError("upload_busy") from error
            time.sleep(_LOOK_AGAIN)
        else:
            return


def _folder() -> Path:
    try:
        return Path(uploads_storage().path("arriving"))
    except NotImplementedError:  # not on a disk: they are put there when they are whole
        return Path(settings.WORK_DIR) / "arriving"


def _check_offset(upload: Upload, offset: int) -> None:
    if offset != upload.offset:
        raise UserError("upload_offset", offset=upload.offset)


def _check_room(length: int) -> None:
    if length > _free():
        raise UserError("storage_full", free_mb=max(0, _free()) // _MIB)


def _free() -> int:
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return shutil.disk_usage(folder).free - _RESERVE


def _copy(upload: Upload, file: Any, source: Source) -> None:
    end = upload.offset
    try:
        while chunk := source.read(_MIB):
            if end + len(chunk) > upload.length:
                raise UserError("upload_too_long", length=upload.length)
            _write(file, chunk)
            end += len(chunk)
            if end - upload.offset >= _COMMIT_EVERY:
                _commit(upload, file, end)
    finally:
        # Whatever broke it off: what has arrived need not be sent again.
        if end > upload.offset:
            _commit(upload, file, end)


def _write(file: Any, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def _commit(upload: Upload, file: Any, end: int) -> None:
    os.fsync(file.fileno())
    expires_at = timezone.now() + KEPT
    rows = Upload.objects.filter(pk=upload.pk, offset=upload.offset)
    if not rows.update(offset=end, expires_at=expires_at):
        raise Upload.DoesNotExist
    upload.offset, upload.expires_at = end, expires_at


def _remove_unowned() -> None:
    """Remove bytes without a row: a project went, or a process was killed between the two."""
    old = (timezone.now() - OLD).timestamp()
    folder = _folder()
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(ValueError, FileNotFoundError):  # not ours, or gone already
            is_old = path.stat().st_mtime < old
            if is_old and not Upload.objects.filter(pk=UUID(path.stem)).exists():
                path.unlink()
