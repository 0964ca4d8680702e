"""An uploaded ZIP on its way to the worker: stored before there is an import that owns it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets.errors  # noqa: F401  registers the codes
from datasets.errors import from_storage
from datasets.models import uploads_storage
from datasets.names import file_name
from storage.errors import StorageError
from storage.local import put_file
from storage.names import id_name


@dataclass
class StoredUpload:
    """A ZIP that is stored; the row that owns it is not there yet.

    Attributes:
        file_name: what its sender called it; shown, never used as a path.
        import_id: the id that the import has to get.
        is_taken: there is an import now that owns the file.
    """

    file_name: str
    import_id: uuid.UUID = field(default_factory=uuid.uuid4)
    is_taken: bool = False

    @property
    def name(self) -> str:
        """Where it lies in the storage of uploads."""
        return id_name("imports", self.import_id, ".zip")


@contextmanager
def stored_upload(file: Any) -> Iterator[StoredUpload]:
    """Store a ZIP outside of any transaction; at the end it goes, unless it was taken.

    Raises:
        UserError: the disk is full.
    """
    stored = StoredUpload(file_name(str(file.name or "")))
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


def _store(name: str, file: Any) -> None:
    """Put it where the worker finds it; a file that is on the disk already is moved."""
    storage = uploads_storage()
    with suppress(NotImplementedError, AttributeError, OSError):
        source, target = Path(file.temporary_file_path()), Path(storage.path(name))
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.rename(target)
        return
    try:
        put_file(storage, name, file.chunks())
    except StorageError as error:
        raise from_storage(error) from error
