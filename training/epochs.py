"""Commits what an epoch brought: weights to storage first, then metrics and pointers together."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.db.models import Sum

from jobs import transitions
from jobs.frames import Frame
from jobs.models import JobEvent
from jobs.patience import persist
from training import checkpoints, provenance
from training.messages import Message
from training.models import Checkpoint, EpochMetrics, TrainingRun
from training.storing import patiently

_FIGURES = ("map50", "map50_95", "precision", "recall")


def record_start(run: TrainingRun, message: Mapping[str, Any]) -> None:
    """Keep what the trainer really uses and runs on.

    Raises:
        LeaseLost: another attempt owns the run.
    """
    run.environment = provenance.at_start(run, message)
    run.device = str(message["device"])[:100]
    with transitions.fenced(run):
        run.save(update_fields=["environment", "device"])


def commit(run: TrainingRun, message: Message, check: Callable[[], None]) -> None:
    """Store the checkpoint, verify it, then write metrics, pointers and the frame in one go.

    Args:
        check: raises where nobody wants the epoch any more; called while storage is away.

    Raises:
        LeaseLost: another attempt owns the run; nothing was written.
        UserError, Interrupted: storage cannot take the checkpoint; see `storing.patiently`.
    """
    pointers = _store(run, message, check)
    persist(lambda: _write(run, message, pointers))
    persist(lambda: checkpoints.prune(run))


def seconds_of(run: TrainingRun) -> float:
    """Return how long the committed epochs of all attempts took together."""
    return float(run.epochs.aggregate(seconds=Sum("seconds"))["seconds"] or 0.0)


def row(metrics: EpochMetrics) -> dict[str, Any]:
    """Return an epoch as the API and the socket show it."""
    return {
        "epoch": metrics.epoch,
        "train": metrics.train,
        "val": metrics.val,
        "lr": metrics.lr,
        "seconds": metrics.seconds,
        "images_per_second": metrics.images_per_second,
        "gpu_memory_mb": metrics.gpu_memory_mb,
    }


def _store(run: TrainingRun, message: Message, check: Callable[[], None]) -> list[Checkpoint]:
    """Copy the named files to storage; the trainer's copies are not needed after that."""
    kinds = {"checkpoint": Checkpoint.Kind.LAST, "best_checkpoint": Checkpoint.Kind.BEST}
    stored = []
    for key, kind in kinds.items():
        file = message.get(key)
        if file is None:
            continue
        path = Path(file["path"])
        step = partial(
            checkpoints.store,
            run,
            kind=kind,
            epoch=message["epoch"],
            path=path,
            sha256=file["sha256"],
        )
        stored.append(patiently(step, check))
        path.unlink(missing_ok=True)
    return stored


def _write(run: TrainingRun, message: Message, pointers: list[Checkpoint]) -> None:
    number = int(message["epoch"])
    mine = EpochMetrics.objects.filter(run=run, epoch=number, attempt=run.attempt)
    if mine.exists() and run.checkpoints.filter(epoch=number, attempt=run.attempt).exists():
        return  # the commit whose answer was lost had landed
    with transitions.fenced(run):
        metrics, _ = EpochMetrics.objects.update_or_create(
            run=run,
            epoch=number,
            defaults={
                "attempt": run.attempt,
                "train": message["train"],
                "val": message["val"],
                "lr": message["lr"],
                "seconds": message["seconds"],
                "images_per_second": message["images_per_second"],
                "gpu_memory_mb": message["gpu_memory_mb"],
            },
        )
        for pointer in pointers:
            pointer.save()
        fields: dict[str, Any] = {"epoch": number, "losses": 0}
        if message["is_best"]:
            fields["best"] = {"epoch": number, **_best(message["val"])}
        transitions.append(run, [Frame(JobEvent.Type.EPOCH, row(metrics))], **fields)
    run.epoch, run.losses, run.best = number, 0, fields.get("best", run.best)


def _best(val: Mapping[str, Any]) -> dict[str, Any]:
    return {name: val.get(name) for name in _FIGURES}
