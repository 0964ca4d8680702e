"""Checkpoints in storage: the file first, verified, the pointer in the database last."""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from django.core.files import File

from storage.presence import is_missing
from training.models import Checkpoint, TrainingRun, weights_storage

log = logging.getLogger(__name__)

#: Checkpoints to go on from; one more than needed, for the case that the newest is damaged.
_KEEP_LAST = 2
_CHUNK = 1 << 20


class Damaged(Exception):
    """What was read back is not what was written."""


def file_sha256(file: BinaryIO) -> str:
    """Return the SHA-256 of an open file, read in pieces."""
    digest = hashlib.sha256()
    while data := file.read(_CHUNK):
        digest.update(data)
    return digest.hexdigest()


def store(
    run: TrainingRun,
    *,
    kind: str,
    epoch: int,
    path: Path,
    sha256: str,
    same: Checkpoint | None = None,
) -> Checkpoint:
    """Copy a checkpoint to storage under a name that nothing else ever writes, and verify it.

    Args:
        same: what was stored with the same bytes: this one names that file.

    Returns:
        The pointer, not saved yet: the caller saves it in the transaction that commits the epoch.

    Raises:
        Damaged: storage gives back other bytes.
        OSError: storage refuses the file.
    """
    pointer = Checkpoint(run=run, kind=kind, epoch=epoch, attempt=run.attempt, sha256=sha256)
    if same is not None:
        pointer.file, pointer.size = same.file.name, same.size
        return pointer
    storage = weights_storage()
    name = f"runs/{run.pk}/{run.attempt}-{epoch}-{sha256[:12]}.pt"
    with path.open("rb") as source:
        name = storage.save(name, File(source))
    with storage.open(name, "rb") as stored:
        if file_sha256(stored) != sha256:
            raise Damaged(name)
    pointer.file, pointer.size = name, path.stat().st_size
    return pointer


def fetch(checkpoint: Checkpoint, target: Path) -> bool:
    """Copy a checkpoint out of storage.

    Returns:
        False where it is missing or damaged: use the one before.

    Raises:
        Exception: storage is away, with all that is in it.
    """
    try:
        source = checkpoint.file.open("rb")
    except FileNotFoundError:
        if is_missing(checkpoint.file.storage, str(checkpoint.file.name)):
            return _is_lost(checkpoint)
        raise
    # A target that cannot be written says nothing of the source: that error is the caller's.
    with source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK)
    with target.open("rb") as copied:
        return file_sha256(copied) == checkpoint.sha256 or _is_lost(checkpoint)


def _is_lost(checkpoint: Checkpoint) -> bool:
    log.error("Checkpoint %s of run %s is missing or damaged", checkpoint, checkpoint.run_id)
    return False


def candidates(run: TrainingRun) -> Iterator[Checkpoint]:
    """Yield the checkpoints that a run can go on from, the newest first."""
    yield from run.checkpoints.filter(kind=Checkpoint.Kind.LAST).order_by("-epoch", "-attempt")


def bests_until(run: TrainingRun, epoch: int) -> Iterator[Checkpoint]:
    """Yield the best weights known at the end of an epoch, then those that were so before them."""
    best = run.checkpoints.filter(kind=Checkpoint.Kind.BEST, epoch__lte=epoch)
    yield from best.order_by("-epoch", "-attempt")


def prune(run: TrainingRun) -> None:
    """Remove what is not needed any more: rows first, so that no pointer ever dangles.

    Of each epoch only the newest attempt's counts: an older one of the same epoch was damaged, or
    there would have been nothing to do again.
    """
    last = list(candidates(run))
    newest = {item.epoch: item for item in reversed(last)}
    kept = sorted(newest.values(), key=lambda item: item.epoch, reverse=True)[:_KEEP_LAST]
    # The best weights of the older checkpoint stay with it.
    oldest = kept[-1].epoch if len(kept) >= _KEEP_LAST else 0
    best = list(run.checkpoints.filter(kind=Checkpoint.Kind.BEST).order_by("-epoch", "-attempt"))
    needed = next((i for i, item in enumerate(best) if item.epoch <= oldest), len(best))
    for checkpoint in [item for item in last if item not in kept] + best[needed + 1 :]:
        remove(checkpoint)


def remove(checkpoint: Checkpoint) -> None:
    """Remove one checkpoint, its row before its file; a file that another row names stays."""
    name = checkpoint.file.name
    checkpoint.delete()
    # After the row: of two who remove the last two names of a file, one sees that none is left.
    if Checkpoint.objects.filter(run=checkpoint.run_id, file=name).exists():
        return
    try:
        weights_storage().delete(name)
    except FileNotFoundError:
        pass
    except Exception as error:  # noqa: BLE001  each kind of storage has exceptions of its own
        # A file too many is no reason to end a training.
        log.warning("Cannot remove %s: %r", name, error)
