"""An uploaded ZIP on its way to the worker: stored before there is an import that owns it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files import File

import datasets.errors  # noqa: F401  registers the codes
from datasets import arriving
from datasets.errors import from_storage
from datasets.models import Import, Upload, uploads_storage
from datasets.names import file_name
from jobs.errors import UserError
from storage.errors import StorageError
from storage.local import move_file, put_file
from storage.names import id_name

#: Seconds that a second request waits for the first to make the import.
_LONGEST_TAKE = 10.0


@dataclass
class StoredUpload:
    """A ZIP that is stored; the row that owns it is not there yet.

    Attributes:
        file_name: what its sender called it; shown, never used as a path.
        import_id: the id that the import has to get.
        is_taken: there is an import now that owns the file.
        has_row: it came in pieces; its row is to go when it is imported.
        size: in bytes.
    """

    file_name: str
    import_id: uuid.UUID = field(default_factory=uuid.uuid4)
    is_taken: bool = False
    has_row: bool = False
    size: int = 0

    @property
    def name(self) -> str:
        """Where it lies in the storage of uploads."""
        return id_name("imports", self.import_id, ".zip")

    def claim(self) -> None:
        """Make sure that it is imported once, in the transaction that makes the import.

        Raises:
            UserError: `upload_used`.
        """
        if self.has_row and not Upload.objects.filter(pk=self.import_id).delete()[0]:
            raise UserError("upload_used")


@contextmanager
def stored_upload(file: Any) -> Iterator[StoredUpload]:
    """Store a ZIP outside of any transaction; at the end it goes, unless it was taken.

    Raises:
        UserError: the disk is full.
    """
    stored = StoredUpload(file_name(str(file.name or "")), size=int(file.size or 0))
    try:
        _store(stored.name, file)
        yield stored
    except BaseException:
        # Whatever took it was rolled back.
        stored.is_taken = False
        raise
    finally:
        if not stored.is_taken:
            uploads_storage().delete(stored.name)


@contextmanager
def taken_upload(upload: Upload) -> Iterator[StoredUpload]:
    """Lend a complete upload to who imports it: moved, and moved back unless it was taken.

    The import gets the upload's id: after a kill in the middle the next try finds the file, and
    there can never be two of them.

    Raises:
        UserError: `upload_gone`, `upload_busy`, or the disk is full.
    """
    stored = StoredUpload(upload.file_name, upload.pk, has_row=True, size=upload.length)
    part = arriving.path_of(upload.pk)
    lock = part.with_suffix(".lock")
    with arriving.held(lock, wait=_LONGEST_TAKE):
        is_imported = Import.objects.filter(pk=upload.pk).exists()
        if not is_imported:
            _take(stored.name, part, upload.length)
        try:
            yield stored
        except BaseException:
            # Whatever took it was rolled back.
            stored.is_taken = False
            raise
        finally:
            if stored.is_taken or is_imported:
                part.unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
            else:
                _give_back(stored.name, part)


def _take(name: str, part: Path, length: int) -> None:
    """Put an upload where the worker finds it."""
    if not part.is_file():
        # A process was killed after it had moved it.
        if not uploads_storage().exists(name):
            raise UserError("upload_gone")
        return
    if part.stat().st_size != length:
        raise UserError("stored_file_damaged")
    with part.open("rb") as file:
        _store(name, _Part(file))


def _give_back(name: str, part: Path) -> None:
    storage = uploads_storage()
    try:
        target = Path(storage.path(name))
    except NotImplementedError:  # it was copied
        storage.delete(name)
        return
    target.rename(part)


class _Part(File):  # type: ignore[type-arg]
    """The file of an upload, as Django's own that lie on the disk."""

    def temporary_file_path(self) -> str:
        """Return where it lies."""
        return str(self.name)


def _store(name: str, file: Any) -> None:
    """Put it where the worker finds it; a file that is on the disk already is moved."""
    storage = uploads_storage()
    with suppress(NotImplementedError, AttributeError, OSError):
        move_file(Path(file.temporary_file_path()), Path(storage.path(name)))
        return
    try:
        put_file(storage, name, file.chunks())
    except StorageError as error:
        raise from_storage(error) from error
