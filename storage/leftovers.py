"""Removes what killed processes left half-written: nobody else knows of these files."""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.storage import storages

from storage.local import parts_folder

#: Longer than any upload or import takes, so that nothing is taken from who still writes it.
OLD = timedelta(days=2)


def sweep_halves(*, older_than: timedelta = OLD) -> int:
    """Remove what is old in the folders of half-written files and of spools; return how much."""
    folders = [Path(settings.FILE_UPLOAD_TEMP_DIR), *_parts_folders()]
    return sum(_sweep(folder, older_than) for folder in folders)


def _parts_folders() -> Iterator[Path]:
    for alias in settings.STORAGES:
        with suppress(NotImplementedError):  # not on a disk
            yield parts_folder(storages[alias])


def _sweep(folder: Path, older_than: timedelta) -> int:
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # whoever wrote it has just ended
            if time.time() - path.lstat().st_mtime < older_than.total_seconds():
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            removed += 1
    return removed
