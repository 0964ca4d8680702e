"""Runs that have ended, with curves, counts and predictions, without a worker."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from datasets.models import DatasetVersion
from tests.factories import make_artifact, make_model, make_predictions, make_run
from training.models import EpochMetrics, TrainingRun

#: By the position of a picture of `make_gallery`: one that is right; one on which the bottle was
#: missed, and a can seen where none is. What is doubtful counts only from a lower threshold on.
FOUND = {
    0: [[0, 0.91, 21.0, 31.0, 91.0, 99.0]],
    1: [
        [0, 0.88, 19.0, 29.0, 89.0, 101.0],
        [0, 0.62, 2.0, 2.0, 30.0, 25.0],
        [1, 0.12, 100.0, 12.0, 149.0, 109.0],
    ],
}
_MACHINE = {
    "system": "Linux 6.1",
    "architecture": "x86_64",
    "cpus": 8,
    "memory_mb": 32_000,
    "gpu": "Tesla T4",
    "gpu_memory_mb": 15_360,
    "driver": "550.54.15",
}
_VERSIONS = {"python": "3.11.7", "torch": "2.10.0", "ultralytics": "8.4.190", "cuda": "12.8"}


def environment(**used: Any) -> dict[str, Any]:
    """Return what a run notes of its start."""
    attempts = [
        {"number": 1, "from_epoch": 1, "device": "Tesla T4", "worker": "gpu-1"},
        {"number": 2, "from_epoch": 4, "device": "Tesla T4", "worker": "gpu-2"},
    ]
    return {
        "batch": 16,
        "optimizer": "AdamW",
        "lr0": 0.002,
        "amp": True,
        "parameters": 2_400_000,
        **used,
        "versions": _VERSIONS,
        "machine": _MACHINE,
        "portal": {"version": "0.1.0"},
        "weights_sha256": "ab" * 32,
        "attempts": attempts,
    }


def add_epochs(run: TrainingRun, count: int, *, top: float = 0.9, first: int = 1) -> None:
    """Add epochs whose figures rise to `top`."""
    for epoch in range(first, first + count):
        reached = top * (1 - 0.7**epoch)
        EpochMetrics.objects.create(
            run=run,
            epoch=epoch,
            attempt=1 if epoch < 4 else 2,
            train={"box_loss": 2 / epoch, "cls_loss": 3 / epoch, "dfl_loss": 1 / epoch},
            val={
                "map50": reached,
                "map50_95": reached / 2,
                "precision": reached,
                "recall": reached * 0.9,
                "box_loss": 2.2 / epoch,
                "cls_loss": 3.1 / epoch,
            },
            lr=0.01 / epoch,
            seconds=12.5 if top > 0.8 else 20.0,
            images_per_second=80.0,
            gpu_memory_mb=2100.0,
        )
    figures = {"map50": top, "map50_95": top / 2, "precision": top, "recall": top * 0.9}
    TrainingRun.objects.filter(pk=run.pk).update(
        epoch=first + count - 1, best={"epoch": first + count - 1, **figures}
    )
    run.refresh_from_db()


def make_ended(
    project: Any, version: DatasetVersion, *, top: float = 0.9, epochs: int = 8, **fields: Any
) -> TrainingRun:
    """Return a run that succeeded, with its model, counts, predictions and curves."""
    began = timezone.now() - timedelta(minutes=7)
    run = make_run(
        project,
        dataset_version=version,
        status="succeeded",
        started_at=began,
        device="Tesla T4",
        worker="gpu-1",
        attempt=2,
        environment=environment(),
        **fields,
    )
    add_epochs(run, epochs, top=top)
    names = [row.name for row in version.classes.all()]
    per_class = [
        {
            "class_name": name,
            "boxes": 5,
            "precision": top,
            "recall": top,
            "ap50": top - 0.1 * index,
            "ap50_95": top / 2,
        }
        for index, name in enumerate(names)
    ]
    make_predictions(run, FOUND)
    counts = [{"class_name": n, "true": 3 - i, "predicted": 3} for i, n in enumerate(names)]
    metrics = {"map50": top, "map50_95": top / 2, "precision": top, "recall": top * 0.9}
    make_model(
        project,
        training_run=run,
        dataset_version=version,
        metrics={**metrics, "per_class": per_class, "counts": {"per_class": counts}},
    )
    make_artifact(run)
    return run
