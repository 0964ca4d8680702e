"""Tells a file that is gone from a storage that is away: only one of them is worth waiting for."""

from django.core.files.storage import Storage

from storage.local import PARTS, parts_folder


def is_missing(storage: Storage, name: str) -> bool:
    """Whether a storage is there and this file is not; to be asked after it was not found.

    Where a disk is not mounted, its files are not found either: an empty folder is left, or none.

    Raises:
        Exception: the storage does not answer; each kind has exceptions of its own.
    """
    try:
        folders, files = storage.listdir("")
    except FileNotFoundError:
        return False
    if _is_on_disk(storage) and not {*folders, *files} - {PARTS}:
        return False
    # Last, so that a storage that has just come back is not taken at what it said before.
    return not storage.exists(name)


def _is_on_disk(storage: Storage) -> bool:
    try:
        parts_folder(storage)
    except NotImplementedError:
        return False
    return True
