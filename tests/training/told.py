"""A run that a test holds, and what its trainer tells at the end of an epoch."""

import hashlib
from pathlib import Path
from typing import Any

from jobs import transitions
from training.models import TrainingRun
from training.services import next_run

BYTES = b"weights of an epoch"


def claimed() -> TrainingRun:
    """Take the run that comes first, as a worker does."""
    found = next_run()
    assert found is not None
    run = transitions.claim(TrainingRun, found.pk, worker="w")
    assert run is not None
    return run


def epoch_message(
    folder: Path, number: int = 1, *, content: bytes = BYTES, is_best: bool = False
) -> dict[str, Any]:
    """Return what the trainer says at the end of an epoch, with its checkpoints on the disk."""
    last, best = (folder / f"{number}-{kind}.pt" for kind in ("last", "best"))
    last.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    file = {"path": str(last), "sha256": digest, "size": len(content)}
    if is_best:
        best.hardlink_to(last)
    told = {"lr": 0.1, "seconds": 1.0, "images_per_second": 1.0, "gpu_memory_mb": None}
    return {
        **told,
        "type": "epoch",
        "epoch": number,
        "train": {},
        "val": {},
        "is_best": is_best,
        "checkpoint": file,
        "best_checkpoint": {**file, "path": str(best)} if is_best else None,
    }
