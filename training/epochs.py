"""Commits what epochs brought: weights to storage first, then metrics and pointers together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.db.models import Avg, Sum

from jobs import transitions
from jobs.frames import Frame
from jobs.models import JobEvent
from jobs.patience import persist
from training import checkpoints, live_pictures, provenance
from training.messages import Message
from training.models import Checkpoint, EpochMetrics, TrainingRun
from training.storing import patiently

#: What holds the weights in the message of an epoch.
LAST, BEST = "checkpoint", "best_checkpoint"
#: How long a commit waits for storage and for the database, each.
PATIENCE_SECONDS = 600.0

#: What is told of the machine of an epoch; of a GPU where the training is on one.
MACHINE = (
    "gpu_use",
    "gpu_memory_used_mb",
    "gpu_memory_total_mb",
    "gpu_temperature",
    "gpu_power",
    "cpu_use",
    "memory_mb",
)
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


def commit(run: TrainingRun, messages: Sequence[Message], check: Callable[[], None]) -> None:
    """Store the newest checkpoint, verify it, then write metrics, pointers and frames in one go.

    Args:
        messages: of epochs that follow each other, mostly one; only the last one's checkpoint is
            stored, and the best weights among them.
        check: raises where nobody wants them any more; called while storage is away.

    Raises:
        LeaseLost: another attempt owns the run; nothing was written.
        Interrupted: storage cannot take the checkpoint; see `storing.patiently`.
    """
    pointers = _store(run, messages, check)
    persist(lambda: _write(run, messages, pointers), patience=PATIENCE_SECONDS)
    persist(lambda: checkpoints.prune(run), patience=PATIENCE_SECONDS)


def drop_files(message: Message, *keys: str) -> None:
    """Remove the copies of weights that an epoch brought and that nobody will store."""
    for key in keys:
        if file := message.get(key):
            Path(file["path"]).unlink(missing_ok=True)
            message[key] = None


def seconds_of(run: TrainingRun) -> dict[str, float]:
    """Return how long the committed epochs took: all (`used`), and one of them (`typical`)."""
    found = run.epochs.aggregate(used=Sum("seconds"), typical=Avg("seconds"))
    return {name: float(seconds or 0.0) for name, seconds in found.items()}


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
        **{name: metrics.machine.get(name) for name in MACHINE},
    }


def _store(
    run: TrainingRun, messages: Sequence[Message], check: Callable[[], None]
) -> list[Checkpoint]:
    """Copy the named files to storage; the trainer's copies are not needed after that."""
    best = next((m for m in reversed(messages) if m.get(BEST)), None)
    wanted = [(messages[-1], LAST, Checkpoint.Kind.LAST)]
    wanted += [(best, BEST, Checkpoint.Kind.BEST)] if best else []
    stored: list[Checkpoint] = []
    for message, key, kind in wanted:
        file = message.get(key)
        if file is None:
            continue
        # The best epoch's last checkpoint is the best one, too: the same bytes, stored once.
        same = next((one for one in stored if one.sha256 == file["sha256"]), None)
        step = partial(
            checkpoints.store,
            run,
            kind=kind,
            epoch=message["epoch"],
            path=Path(file["path"]),
            sha256=file["sha256"],
            same=same,
        )
        stored.append(patiently(step, check, patience=PATIENCE_SECONDS))
    for message in messages:
        drop_files(message, LAST, BEST)
    return stored


def _write(run: TrainingRun, messages: Sequence[Message], pointers: list[Checkpoint]) -> None:
    """Write what belongs together; a second call, after a lost answer, changes nothing."""
    fields = {"epoch": int(messages[-1]["epoch"]), "losses": 0, **_changes(run, messages)}
    if not _has_landed(run, fields["epoch"]):
        with transitions.fenced(run):
            frames = [Frame(JobEvent.Type.EPOCH, frame) for frame in _frames(run, messages)]
            for pointer in pointers:
                # One that was rolled back has a number already, which is another row's by now.
                pointer.pk = None
                pointer.save(force_insert=True)
            transitions.append(run, frames, **fields)
    for name, value in fields.items():
        setattr(run, name, value)


def _has_landed(run: TrainingRun, number: int) -> bool:
    """Whether this attempt has committed an epoch: of a lost connection, nobody knows."""
    mine = EpochMetrics.objects.filter(run=run, epoch=number, attempt=run.attempt)
    return mine.exists() and run.checkpoints.filter(epoch=number, attempt=run.attempt).exists()


def _frames(run: TrainingRun, messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    """Write the metrics of epochs, and yield what is told of each: with the best one until then."""
    best = run.best
    for message in messages:
        best = _best(message) if message["is_best"] else best
        measured = row(_measured(run, message))
        yield {**measured, "best": best, "has_pictures": live_pictures.keep(run, message)}


def _measured(run: TrainingRun, message: Message) -> EpochMetrics:
    names = ("train", "val", "lr", "seconds", "images_per_second", "gpu_memory_mb")
    values = {"attempt": run.attempt, **{name: message[name] for name in names}}
    values |= {"batch": message.get("batch"), "machine": message.get("machine", {})}
    metrics, _ = EpochMetrics.objects.update_or_create(
        run=run, epoch=int(message["epoch"]), defaults=values
    )
    return metrics


def _changes(run: TrainingRun, messages: Sequence[Message]) -> dict[str, Any]:
    """Return what changes for the run: its best epoch, and the batch where it had to be smaller."""
    changes: dict[str, Any] = {}
    for message in messages:
        if message["is_best"]:
            changes["best"] = _best(message)
    batch, before = messages[-1].get("batch"), int(run.environment.get("batch") or 0)
    if batch and batch != before:
        # The library itself halved it, for the card ran out of memory.
        noted = provenance.too_large(run, *_halvings(before, batch))
        changes["environment"] = {**noted, "batch": batch}
    return changes


def _halvings(before: int, batch: int) -> list[int]:
    """Return the batches from one that was too large down to the one that fits, without that."""
    found = []
    while before > batch:
        found.append(before)
        before //= 2
    return found


def _best(message: Message) -> dict[str, Any]:
    """Return an epoch as the best one of its run is kept."""
    figures = {name: message["val"].get(name) for name in _FIGURES}
    return {"epoch": int(message["epoch"]), **figures}
