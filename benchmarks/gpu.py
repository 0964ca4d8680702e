"""bench-gpu: a training on this host's first GPU, against plain `yolo train` on the same card.

Photos of 12 megapixels, and blood cells as a set of small pictures: pictures a second of whole
epochs (validation included), time to the mAP50 that the plain training ends with (ours: with the
time in which the pictures are prepared), and how busy the card was. The plain training has the
library's defaults: 8 loaders, no cache. Targets: 1.5 times as many large photos a second, as many
small pictures. Where there is no GPU it says so.

`BENCH_GPU_EPOCHS`, `BENCH_GPU_PHOTOS` and `BENCH_GPU_MODEL` make it shorter.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from benchmarks import photo_set
from benchmarks.figures import Figure, note, run
from benchmarks.photo_training import Trained, options, train_plainly, train_prepared
from training.trainer_loaders import AUTOMATIC

_EPOCHS = int(os.environ.get("BENCH_GPU_EPOCHS", "10"))
_PHOTOS = int(os.environ.get("BENCH_GPU_PHOTOS", "600"))
_MODEL = os.environ.get("BENCH_GPU_MODEL", "yolo11n")
_SIZE, _BATCH = 640, 16
_PLAIN_LOADERS = 8
_LARGE_TARGET, _SMALL_TARGET = 1.5, 1.0
_LOOK_SECONDS = 0.5
#: Parts of a training for which it is told how busy the card was.
_PARTS = 10


def measure() -> list[Figure]:
    """Train on both sets, or say that there is nothing to train on."""
    card = _card()
    if card is None:
        return [Figure("GPU", "no GPU here"), Figure("measured", "nothing")]
    with tempfile.TemporaryDirectory(prefix="cvt-gpu-") as folder:
        root = Path(folder)
        note("making photos")
        kind = photo_set.make_photos(root / "large", train=_PHOTOS * 5 // 6, val=_PHOTOS // 6)
        small = photo_set.make_small(root / "small", train=205, val=87)
        return [
            Figure("GPU", card),
            *_compare(root, "large", f"12-megapixel {kind}", _LARGE_TARGET),
            *_compare(root, "small", small, _SMALL_TARGET),
        ]


def _card() -> str | None:
    """Return the name of the first GPU."""
    if shutil.which("nvidia-smi") is None:
        return None
    return _ask("name") or None


def _ask(field: str) -> str:
    """Return what the driver says of the first GPU; empty where it says nothing."""
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader,nounits", "-i", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


@dataclass
class _Watched:
    """A training, and how busy the card was meanwhile."""

    trained: Trained
    use: list[float]

    @property
    def rate(self) -> float:
        """Return epochs a second, of all but the first, in which libraries and cards warm up."""
        return 1 / statistics.median(self.trained.epoch_seconds[1:] or self.trained.seconds)

    def until(self, map50: float) -> float | None:
        """Return the seconds after which it had learned so much."""
        reached = zip(self.trained.seconds, self.trained.map50, strict=True)
        return next((seconds for seconds, value in reached if value >= map50), None)

    def busy(self) -> str:
        """Return how busy the card was, in percent, from part to part of the training."""
        if not self.use:
            return "unknown"
        count = min(_PARTS, len(self.use))
        bounds = [len(self.use) * part // count for part in range(count + 1)]
        parts = [statistics.mean(self.use[a:b]) for a, b in pairwise(bounds)]
        return " ".join(f"{part:.0f}" for part in parts)


class _Watch:
    """Asks every half second how busy the card is."""

    def __init__(self) -> None:
        self.use: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            with suppress(ValueError):
                self.use.append(float(_ask("utilization.gpu")))

    def __enter__(self) -> Self:
        if _card():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._thread.ident:
            self._thread.join()


def _compare(root: Path, name: str, what: str, target: float) -> list[Figure]:
    same: dict[str, Any] = {
        "model": _MODEL,
        "classes": photo_set.class_count(root / name),
        "settings": options(epochs=_EPOCHS, imgsz=_SIZE, batch=_BATCH, patience=0),
    }
    note(f"{what}: plain")
    with _Watch() as watch:
        trained = train_plainly(
            root / name, folder=root / f"{name}-plain", loaders=_PLAIN_LOADERS, **same
        )
    plain = _Watched(trained, watch.use)
    note(f"{what}: ours")
    began = time.monotonic()
    photo_set.prepare(root / name, root / f"{name}-prepared", size=_SIZE)
    prepared = time.monotonic() - began
    with _Watch() as watch:
        trained = train_prepared(
            root / f"{name}-prepared", folder=root / f"{name}-ours", loaders=AUTOMATIC, **same
        )
    ours = _Watched(trained, watch.use)
    count = len(list((root / name / "images" / "train").iterdir()))
    return _figures(what, count, plain, ours, prepared, target)


def _figures(
    what: str, count: int, plain: _Watched, ours: _Watched, prepared: float, target: float
) -> list[Figure]:
    goal = plain.trained.map50[-1]
    ratio, reached = ours.rate / plain.rate, ours.until(goal)
    in_time = "not reached" if reached is None else f"{reached + prepared:.1f} s"
    return [
        Figure(f"{what}, plain", f"{count * plain.rate:.1f} pictures/s"),
        Figure(f"{what}, ours", f"{count * ours.rate:.1f} pictures/s"),
        Figure("ratio", f"{ratio:.2f}", f">= {target:g}", ratio >= target),
        Figure(f"to mAP50 {goal:.3f}, plain", f"{plain.until(goal):.1f} s"),
        Figure(f"to mAP50 {goal:.3f}, ours, {prepared:.1f} s of preparing with it", in_time),
        Figure("best mAP50, plain and ours", _both_best(plain, ours)),
        Figure("card busy in % from start to end, plain", plain.busy()),
        Figure("card busy in % from start to end, ours", ours.busy()),
    ]


def _both_best(plain: _Watched, ours: _Watched) -> str:
    return f"{max(plain.trained.map50):.4f}, {max(ours.trained.map50):.4f}"


if __name__ == "__main__":
    sys.exit(run("gpu", measure))
