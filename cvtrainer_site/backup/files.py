"""The stored files of a backup, wherever STORAGE_URL keeps them."""

from collections.abc import Iterator

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from storage.local import PARTS, make_durable, put_file

#: The aliases of STORAGES that hold what people gave and what was made of it.
ALIASES = ("uploads", "images", "weights", "artifacts")


def stored_files() -> Iterator[tuple[str, Storage, str]]:
    """Yield alias, storage and name of each stored file; not of those that are being written."""
    for alias in ALIASES:
        storage = storages[alias]
        for name in _walk(storage, ""):
            yield alias, storage, name


def _walk(storage: Storage, folder: str) -> Iterator[str]:
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    prefix = f"{folder}/" if folder else ""
    yield from (prefix + name for name in sorted(files) if name)
    for name in sorted(set(folders) - {PARTS}):
        yield from _walk(storage, prefix + name)


def store(alias: str, name: str, content: File) -> None:  # type: ignore[type-arg]
    """Write one file under the very name that it had; on a disk, `settle` makes it last.

    Raises:
        ValueError: the storage has changed its name.
    """
    storage = storages[alias]
    if isinstance(storage, FileSystemStorage):
        put_file(storage, name, content.chunks(), durable=False, one_of_many=True)
        return
    saved = storage.save(name, content)
    if saved != name:
        raise ValueError(f"{name} was stored as {saved}")


def settle() -> None:
    """Wait until no power cut can take away what was stored: once for all, not for each file."""
    for alias in ALIASES:
        make_durable(storages[alias])
