"""The stored files of a backup, wherever STORAGE_URL keeps them."""

from collections.abc import Iterator

from django.core.files.base import File
from django.core.files.storage import Storage, storages

#: The aliases of STORAGES that hold what people gave and what was made of it.
ALIASES = ("uploads", "images", "weights", "artifacts")


def stored_files() -> Iterator[tuple[str, Storage, str]]:
    """Yield alias, storage and name of each stored file."""
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
    for name in sorted(folders):
        yield from _walk(storage, prefix + name)


def store(alias: str, name: str, content: File) -> None:  # type: ignore[type-arg]
    """Write one file under the very name that it had.

    Raises:
        ValueError: the storage has changed its name.
    """
    saved = storages[alias].save(name, content)
    if saved != name:
        raise ValueError(f"{name} was stored as {saved}")
