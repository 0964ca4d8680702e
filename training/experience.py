"""Learns from each attempt of a run what it took, for the estimates before the next ones."""

import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from training.experience_row import Experience
from training.gpu_classes import CPU, gpu_class
from training.memory import largest_side
from training.models import EpochMetrics, TrainingRun
from training.provenance import TOO_LARGE

#: A later training counts this much, so that a new driver or data cache shows soon.
_WEIGHT = 0.5
#: A batch so many times larger or smaller takes about as long a picture.
_NEAR = 2
#: Work of the sizes against nano at the same image size: the GFLOPs of the YOLO11 table.
_WORK = {"n": 1.0, "s": 3.3, "m": 10.5, "l": 13.4, "x": 30.0}


def learn(run: TrainingRun) -> None:
    """Keep what the last attempt of a run took; nothing where it did not get to an epoch."""
    used = run.environment
    if not used.get("batch") or not used.get("architecture"):
        return
    batch, too_large = int(used["batch"]), set(used.get(TOO_LARGE, ()))
    if (run.error or {}).get("code") == "out_of_memory":
        too_large.add(batch)
    with transaction.atomic():
        for failed in sorted(too_large):
            row = _row_of(run, failed)
            row.was_too_large = True
            row.runs += 1
            row.save()
        if batch not in too_large:
            _learn_epochs(run, batch)


def _learn_epochs(run: TrainingRun, batch: int) -> None:
    """Keep what the epochs with a batch took; those before it was halved tell nothing of it."""
    with_it = Q(batch=batch) | Q(batch=None)  # a worker of the release before does not write it
    epochs = list(run.epochs.filter(with_it, attempt=run.attempt).order_by("epoch"))
    if not epochs:
        return
    row = _row_of(run, batch)
    row.was_too_large = False
    row.memory_mb = _most(row.memory_mb, epochs)
    row.seconds_per_image = _blended(row.seconds_per_image, _seconds(run, epochs))
    row.runs += 1
    row.save()


def _row_of(run: TrainingRun, batch: int) -> Experience:
    used = run.environment
    key = {
        "device": run.device,
        "architecture": str(used["architecture"])[:20],
        "imgsz": int(used.get("imgsz") or run.options["imgsz"]),
        "batch": batch,
        "precision": "mixed" if used.get("amp") else "fp32",
        "multi_scale": float(run.options.get("multi_scale") or 0.0),
    }
    kind = CPU if run.device == "CPU" else gpu_class(run.device)
    Experience.objects.get_or_create(**key, defaults={"gpu_class": kind})
    return Experience.objects.select_for_update().get(**key)


def _most(known: int | None, epochs: list[EpochMetrics]) -> int | None:
    told = [known or 0, *(round(e.gpu_memory_mb) for e in epochs if e.gpu_memory_mb)]
    return max(told) or None


def _seconds(run: TrainingRun, epochs: list[EpochMetrics]) -> float | None:
    """Return what an epoch takes for each picture; the first warms up and does not count."""
    images = run.environment.get("images", {}).get("train") or run.dataset_version.train_images
    taken = [epoch.seconds for epoch in epochs[1:] if epoch.seconds]
    return statistics.median(taken) / images if taken and images else None


def _blended(known: float | None, now: float | None) -> float | None:
    if known is None or now is None:
        return now if known is None else known
    return known + _WEIGHT * (now - known)


@dataclass(frozen=True)
class Wanted:
    """The part of a training's settings on which memory and time depend."""

    architecture: str
    imgsz: int
    batch: int
    precision: str
    multi_scale: float = 0.0

    @classmethod
    def of(cls, architecture: str, options: Mapping[str, Any]) -> "Wanted":
        """Return it for the options of a training."""
        precision = "fp32" if options["amp"] == "fp32" else "mixed"
        imgsz, batch = int(options["imgsz"]), int(options["batch"])
        return cls(architecture, imgsz, batch, precision, float(options["multi_scale"]))

    @property
    def largest_side(self) -> int:
        """The largest side of a picture: what the memory must hold."""
        return largest_side(self.imgsz, self.multi_scale)

    @property
    def pixels(self) -> float:
        """What pictures have on average, up to a factor: what the time goes by."""
        return _pixels(self.imgsz, self.multi_scale)


def seconds_per_image(wanted: Wanted, kind: str) -> tuple[float, bool] | None:
    """Return the time of an epoch for each training picture on a class of cards.

    Returns:
        Seconds, and whether it is rough: scaled from another image size or network by the work
        that these take, or of another precision or quite another batch. None where this
        installation has never trained on such a card.
    """
    rows = Experience.objects.filter(gpu_class=kind, seconds_per_image__isnull=False)
    own = list(rows.filter(architecture=wanted.architecture)[:50])
    for row in sorted(own, key=lambda row: _distance(row, wanted)):
        assert row.seconds_per_image is not None
        measured = _pixels(row.imgsz, row.multi_scale)
        is_rough = measured != wanted.pixels or not _is_alike(row, wanted)
        return row.seconds_per_image * wanted.pixels / measured, is_rough
    other = rows.first()
    if other is None or other.seconds_per_image is None:
        return None
    scale = _work(wanted.architecture) / _work(other.architecture)
    scale *= wanted.pixels / _pixels(other.imgsz, other.multi_scale)
    return other.seconds_per_image * scale, True


def memory_mb(wanted: Wanted, kind: str) -> int | None:
    """Return the memory that just such a training took on a class of cards, if there was one."""
    rows = _like(wanted, kind).filter(memory_mb__isnull=False)
    return rows.values_list("memory_mb", flat=True).order_by("-memory_mb").first()


def smallest_too_large(wanted: Wanted, kind: str, *, devices: Collection[str] = ()) -> int | None:
    """Return the smallest batch that ran out of memory on a class of cards, None if none did.

    One with smaller pictures or in 16 bits counts too: what is wanted needs no less.

    Args:
        devices: names of the cards that count: of one class, some have more memory. All if empty.
    """
    rows = Experience.objects.filter(
        gpu_class=kind,
        architecture=wanted.architecture,
        precision__in={"mixed", wanted.precision},
        was_too_large=True,
    )
    rows = rows.filter(device__in=devices) if devices else rows
    side = wanted.largest_side
    failed = (row.batch for row in rows if largest_side(row.imgsz, row.multi_scale) <= side)
    return min(failed, default=None)


def _like(wanted: Wanted, kind: str) -> QuerySet[Experience]:
    return Experience.objects.filter(
        gpu_class=kind,
        architecture=wanted.architecture,
        imgsz=wanted.imgsz,
        batch=wanted.batch,
        precision=wanted.precision,
        multi_scale=wanted.multi_scale,
    )


def _distance(row: Experience, wanted: Wanted) -> tuple[float, bool, int]:
    pixels = _pixels(row.imgsz, row.multi_scale)
    is_other = not _has_precision(row, wanted)
    return abs(pixels - wanted.pixels), is_other, abs(row.batch - wanted.batch)


def _is_alike(row: Experience, wanted: Wanted) -> bool:
    """Whether a training took about as long a picture as what is wanted will."""
    # An automatic batch fills the card: it is as quick as the largest.
    is_near = wanted.batch < 1 or wanted.batch / _NEAR <= row.batch <= wanted.batch * _NEAR
    return is_near and _has_precision(row, wanted)


def _has_precision(row: Experience, wanted: Wanted) -> bool:
    return row.gpu_class == CPU or row.precision == wanted.precision


def _pixels(imgsz: int, multi_scale: float) -> float:
    """Return the mean square of a side that is as often at each size of its range."""
    return imgsz**2 * (1 + multi_scale**2 / 3)


def _work(architecture: str) -> float:
    return _WORK.get(architecture[-1:], _WORK["x"])
