"""Copies of checkpoints that are complete or not there: the library writes its own in place."""

import hashlib
import os
import struct
import zipfile
import zlib
from pathlib import Path

from training.messages import CheckpointFile

_CHUNK = 1 << 20
#: What reading a damaged archive can raise, depending on where the damage is.
_DAMAGED: tuple[type[Exception], ...] = (
    *(OSError, EOFError, ValueError, RuntimeError, OverflowError),
    *(struct.error, zlib.error, zipfile.BadZipFile),
)


class CheckpointFolder:
    """Where finished checkpoints wait until the supervisor has stored and deleted them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in folder.glob("*.part"):
            part.unlink()

    def commit(
        self, epoch: int, last: Path, *, is_best: bool
    ) -> tuple[CheckpointFile, CheckpointFile | None]:
        """Copy the checkpoint of an epoch (from 1), durably.

        Args:
            is_best: the same bytes are the best so far; a second name for the copy is enough.

        Returns:
            The copy of the last checkpoint, and of the best one if it is new.
        """
        copy = self._folder / f"{epoch}-last.pt"
        digest, size = _copy_durably(last, copy)
        stored = CheckpointFile(path=str(copy), sha256=digest, size=size)
        best = None
        if is_best:
            name = self._folder / f"{epoch}-best.pt"
            name.unlink(missing_ok=True)
            os.link(copy, name)
            best = CheckpointFile(path=str(name), sha256=digest, size=size)
        _sync_folder(self._folder)
        return stored, best


def _copy_durably(source: Path, target: Path) -> tuple[str, int]:
    part = target.with_name(f"{target.name}.part")
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as reader, part.open("wb") as writer:
        while data := reader.read(_CHUNK):
            writer.write(data)
            digest.update(data)
            size += len(data)
        writer.flush()
        os.fsync(writer.fileno())
    part.replace(target)
    return digest.hexdigest(), size


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def is_whole(path: Path) -> bool:
    """Whether a file is a complete archive of tensors: cut short or with flipped bits it is not."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except _DAMAGED:
        return False
