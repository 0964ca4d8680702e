"""bench-photos: pictures at training size, against the training library on 12-megapixel photos.

The data pipeline alone (16 pictures a batch, 640 pixels, two loaders): without a cache, and with
`cache=ram`, whose memory is measured too. Then whole trainings of a nano model on the CPU: an
epoch's time, and mAP50 for three seeds. Targets: 8 times the library without a cache, as fast as
with `cache=ram` in a tenth of its memory, mAP50 within 0.01. Sets larger than half of a host's
memory are kept as JPEG: the same 8 times, and mAP50 within what the seeds differ by.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import photo_set
from benchmarks.figures import Figure, at_most, note, run
from benchmarks.photo_training import Trained, options, train_plainly, train_prepared
from training.pixels import Form

_TRAIN, _VAL = 48, 12
#: More than the library remembers for its mosaics (128): it has to decode nearly all of them anew.
_TIMES = 25
_SIZE, _SMALL_SIZE = 640, 192
_ROUNDS, _BATCHES, _PLAIN_BATCHES = 5, 25, 8
_MORE = 4
_SEEDS, _EPOCHS = (0, 1, 2), 3
_TIMES_AS_FAST, _MAP_TARGET = 8.0, 0.01
_MODEL = "yolo11n"


def measure() -> list[Figure]:
    """Make photos, and measure."""
    with tempfile.TemporaryDirectory(prefix="cvt-photos-") as folder:
        root = Path(folder)
        note("making photos")
        kind = photo_set.make_photos(root / "photos", train=_TRAIN, val=_VAL)
        began = time.monotonic()
        photo_set.prepare(root / "photos", root / "prepared", size=_SIZE)
        rate = (_TRAIN + _VAL) / (time.monotonic() - began)
        figures = [Figure(f"prepared once, {kind}", f"{rate:.1f} photos/s")]
        return figures + _pipelines(root) + _trainings(root)


def _pipelines(root: Path) -> list[Figure]:
    """Compare the data pipelines, many photos each."""
    photo_set.shrink(root / "photos", root / "small", size=_SIZE)
    photo_set.prepare(root / "photos", root / "jpeg", size=_SIZE, form=Form.JPEG)
    for name, link in (("photos", True), ("prepared", False), ("small", False), ("jpeg", False)):
        photo_set.repeat(root / name, root / f"many-{name}", times=_TIMES, link=link)
    classes = photo_set.class_count(root / "photos")
    note("the library without a cache")
    with _Pipeline("plain", root / "many-photos", classes) as pipeline:
        plain = pipeline.load(_PLAIN_BATCHES)
    note("ours where the set is too large for plain pixels")
    with _Pipeline("ours", root / "many-jpeg", classes) as pipeline:
        jpeg = pipeline.load(_BATCHES)
    note("the library with cache=ram, and ours")
    with (
        _Pipeline("ram", root / "many-small", classes) as theirs,
        _Pipeline("ours", root / "many-prepared", classes) as pipeline,
    ):
        rounds = [(theirs.load(_BATCHES), pipeline.load(_BATCHES)) for _ in range(_ROUNDS)]
    ram, ours = ({name: _median(side, name) for name in ("rate", "work")}
                 for side in zip(*rounds, strict=True))  # fmt: skip
    memory = [one["memory"] for one in rounds[-1]]
    share = memory[1]["anonymous"] / memory[0]["anonymous"]
    return [
        Figure("pipeline, the library without a cache", _speed(plain)),
        Figure(f"pipeline, the library with cache=ram, median of {_ROUNDS}", _speed(ram)),
        Figure(f"pipeline, ours, median of {_ROUNDS}", _speed(ours)),
        _at_least("ours to no cache", ours["rate"] / plain["rate"], _TIMES_AS_FAST),
        _at_least("ours to cache=ram", ours["rate"] / ram["rate"], 1.0),
        Figure("pipeline, ours as JPEG, for sets larger than half the memory", _speed(jpeg)),
        _at_least("ours as JPEG to no cache", jpeg["rate"] / plain["rate"], _TIMES_AS_FAST),
        Figure(
            f"memory of {_TIMES * _TRAIN} pictures, cache=ram", f"{memory[0]['anonymous']:.0f} MB"
        ),
        Figure(
            "memory, ours (and files in the system's cache)",
            f"{memory[1]['anonymous']:.0f} MB ({memory[1]['mapped']:.0f} MB)",
        ),
        at_most("ours to cache=ram", share, 0.1, ""),
    ]


def _median(answers: Any, name: str) -> float:
    return statistics.median(answer[name] for answer in answers)


def _speed(answer: dict[str, float]) -> str:
    return f"{answer['rate']:.1f} pictures/s, {answer['work']:.1f} ms of a core each"


def _at_least(what: str, value: float, limit: float) -> Figure:
    return Figure(what, f"{value:.2f}", f">= {limit:g}", value >= limit)


class _Pipeline:
    """One data pipeline in a process of its own."""

    def __init__(self, way: str, root: Path, classes: int) -> None:
        command = [sys.executable, "-m", "benchmarks.photo_loader", way, str(root)]
        self._process = subprocess.Popen(
            [*command, str(_SIZE), str(classes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.load(1)  # the libraries, and what it keeps in memory

    def load(self, batches: int) -> dict[str, Any]:
        """Load so many batches and return how fast that was."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{batches}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        time.sleep(2)  # what is loaded ahead is there, and the machine quiet
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()


def _trainings(root: Path) -> list[Figure]:
    """Train plainly and on prepared pictures: an epoch's time, and mAP50 for several seeds."""
    note("an epoch's time")
    photo_set.prepare(root / "photos", root / "prepared-small", size=_SMALL_SIZE)
    for name in ("photos", "prepared-small"):
        photo_set.repeat(root / name, root / f"more-{name}", times=_MORE, link=True)
    settings = options(epochs=1, imgsz=_SMALL_SIZE, batch=8)
    plain, ours = _both(root, "more-photos", "more-prepared-small", settings, "epoch")
    what = f"an epoch of {_MORE * _TRAIN} photos, {_MODEL}, {_SMALL_SIZE} pixels, CPU"
    return [
        Figure(f"{what}, plain", f"{plain.seconds[0]:.1f} s"),
        Figure(f"{what}, ours", f"{ours.seconds[0]:.1f} s"),
        *_learned(root),
    ]


def _learned(root: Path) -> list[Figure]:
    """Compare what a model has learned, by seed."""
    kind = photo_set.make_small(root / "learn", train=80, val=40)
    photo_set.prepare(root / "learn", root / "prepared-learn", size=_SMALL_SIZE)
    photo_set.prepare(root / "learn", root / "jpeg-learn", size=_SMALL_SIZE, form=Form.JPEG)
    found: list[list[float]] = []
    for seed in _SEEDS:
        note(f"training with seed {seed}")
        settings = options(
            epochs=_EPOCHS, imgsz=_SMALL_SIZE, batch=8, seed=seed, close_mosaic=1,
            optimizer="AdamW", lr0=0.002, warmup_epochs=0.0,
        )  # fmt: skip
        both = _both(root, "learn", "prepared-learn", settings, f"seed-{seed}")
        jpeg = _ours(root, "jpeg-learn", settings, f"seed-{seed}-jpeg")
        found.append([one.map50[-1] for one in (*both, jpeg)])
    plain, ours, as_jpeg = (list(side) for side in zip(*found, strict=True))
    difference = max(abs(a - b) for a, b in zip(plain, ours, strict=True))
    off = abs(statistics.mean(as_jpeg) - statistics.mean(plain))
    what = f"mAP50 by seed, {_EPOCHS} epochs of {kind}"
    return [
        Figure(f"{what}, plain", _listed(plain)),
        Figure(f"{what}, ours", _listed(ours)),
        at_most("largest difference", difference, _MAP_TARGET, "", 4),
        Figure(f"{what}, ours as JPEG", _listed(as_jpeg)),
        at_most("difference of the means to plain", off, statistics.stdev(plain), "", 4),
    ]


def _listed(values: list[float]) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def _both(
    root: Path, plain: str, prepared: str, settings: dict[str, Any], name: str
) -> tuple[Trained, Trained]:
    same = _same(root / plain, settings)
    theirs = train_plainly(root / plain, folder=root / f"{name}-plain", **same)
    return theirs, _ours(root, prepared, settings, f"{name}-ours")


def _ours(root: Path, prepared: str, settings: dict[str, Any], name: str) -> Trained:
    return train_prepared(root / prepared, folder=root / name, **_same(root / prepared, settings))


def _same(root: Path, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": _MODEL,
        "classes": photo_set.class_count(root),
        "settings": settings,
        # The library itself uses none beside a CPU.
        "loaders": 0,
    }


if __name__ == "__main__":
    sys.exit(run("photos", measure))
