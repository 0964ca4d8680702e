"""What the epochs of several runs measured, column by column, over epochs and over time."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any
from uuid import UUID

from training.models import EpochMetrics, TrainingRun

#: Names of columns begin with the set that they are of.
_COLUMNS = ("epoch", "train", "val", "lr", "seconds", "images_per_second", "gpu_memory_mb")


@dataclass(frozen=True)
class Curve:
    """All epochs of one run, whichever attempts they are of.

    Attributes:
        epochs: their numbers, growing.
        seconds: how long the training had taken at the end of each, without what it waited.
        metrics: columns by name: `val/map50`, `train/box_loss`, `lr` and the like.
    """

    run: UUID
    epochs: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    metrics: dict[str, list[float | None]] = field(default_factory=dict)
    typical_seconds: float | None = None
    typical_speed: float | None = None
    most_memory: float | None = None

    @property
    def total_seconds(self) -> float | None:
        """How long all epochs took together."""
        return self.seconds[-1] if self.seconds else None

    def thinned(self, names: Sequence[str], most: int) -> dict[str, Any]:
        """Return some columns with at most so many points, the last one among them."""
        step = max(-(-len(self.epochs) // most), 1)
        places = [*range(len(self.epochs) - 1, -1, -step)][::-1]
        columns = {name: self.metrics[name] for name in names if name in self.metrics}
        return {
            "run": str(self.run),
            "epochs": [self.epochs[place] for place in places],
            "seconds": [self.seconds[place] for place in places],
            "metrics": {n: [values[place] for place in places] for n, values in columns.items()},
        }


def curves_of(runs: Sequence[TrainingRun]) -> list[Curve]:
    """Return the curve of each run, in their order; one query for all."""
    rows = EpochMetrics.objects.filter(run__in=runs).order_by("run", "epoch")
    by_run: dict[UUID, list[dict[str, Any]]] = {run.pk: [] for run in runs}
    for row in rows.values("run_id", *_COLUMNS):
        by_run[row["run_id"]].append(row)
    return [_curve(pk, found) for pk, found in by_run.items()]


def _curve(pk: UUID, rows: list[dict[str, Any]]) -> Curve:
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    seconds = _known(rows, "seconds")
    memory = _known(rows, "gpu_memory_mb")
    speed = _known(rows, "images_per_second")
    return Curve(
        run=pk,
        epochs=[row["epoch"] for row in rows],
        seconds=[round(at, 3) for at in accumulate(row["seconds"] or 0.0 for row in rows)],
        metrics={name: [row.get(name) for row in flat] for name in names},
        typical_seconds=statistics.median(seconds) if seconds else None,
        typical_speed=statistics.median(speed) if speed else None,
        most_memory=max(memory, default=None),
    )


def _flat(row: dict[str, Any]) -> dict[str, float | None]:
    columns = {f"{part}/{name}": v for part in ("val", "train") for name, v in row[part].items()}
    return {**columns, "lr": row["lr"]}


def _known(rows: list[dict[str, Any]], name: str) -> list[float]:
    return [row[name] for row in rows if row[name] is not None]
