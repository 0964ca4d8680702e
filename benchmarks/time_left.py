"""bench-time-left: is the time left that the portal tells what a training then really takes?

Real trainings, watched as a page watches them. From the third epoch on, each time that is told is
held against what came: right is what is within a fifth of it, or within three seconds, for of the
last seconds nobody asks for a fifth. Target: all of them. The peer is what trainers usually show:
the mean of all epochs so far times those that are left, over the same moments.
BENCH_LEFT_EPOCHS changes how many epochs the longer training has.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, at_least, note, run
from benchmarks.portal import Imported, Portal, import_sample, portal
from samples.demo_settings import TRAINING

_SHARE = 0.2
_SECONDS = 3.0
_AFTER_EPOCHS = 3
#: Four times the pixels of the demo's, and as many epochs with mosaics as without.
_LONGER = {
    **TRAINING,
    "epochs": int(os.environ.get("BENCH_LEFT_EPOCHS", "20")),
    "imgsz": 320,
    "advanced": {"warmup_epochs": 3, "close_mosaic": 10},
}
_CASES: Mapping[str, Mapping[str, Any]] = {
    "demo": TRAINING,
    "longer epochs": _LONGER,
}


@dataclass(frozen=True)
class Told:
    """What the portal told at one moment: seconds since the request, whole epochs, seconds left."""

    at: float
    epoch: int
    left: float


def measure() -> list[Figure]:
    """Train each case, and judge what was told on the way."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="cvt-left-") as folder, portal() as running:
        sample = import_sample(running, Path(folder))
        for name, body in _CASES.items():
            note(name)
            told, end = _watch(running, sample, body)
            figures += _judged(f"{name}, {body['epochs']} epochs", told, end, int(body["epochs"]))
    return figures


def _watch(running: Portal, sample: Imported, body: Mapping[str, Any]) -> tuple[list[Told], float]:
    """Train; return what was told from the third epoch on, and the seconds to the run's end."""
    began = time.monotonic()
    wanted = {"project": sample.project, "dataset_version": sample.version, **body}
    place = f"training-runs/{running.client.post('training-runs/', wanted)['id']}/"
    told: list[Told] = []
    while True:
        shown = running.client.get(place)
        at = time.monotonic() - began
        if shown["status"] in {"succeeded", "failed", "canceled"}:
            break
        if shown["epoch"] >= _AFTER_EPOCHS and shown["eta_seconds"] is not None:
            told.append(Told(at, shown["epoch"], float(shown["eta_seconds"])))
        time.sleep(0.5)
    if shown["status"] != "succeeded" or not told:
        raise SystemExit(f"The training of the benchmark: {shown['status']} {shown['error']}")
    return told, at


def _judged(name: str, told: Sequence[Told], end: float, epochs: int) -> list[Figure]:
    def plain(one: Told) -> float:
        """Return what the mean of the epochs so far would tell."""
        return one.at / one.epoch * (epochs - one.epoch)

    def ours(one: Told) -> float:
        return one.left

    for one in told:
        if not _is_right(one.left, end - one.at):
            note(f"epoch {one.epoch}: told {one.left:.0f} s, took {end - one.at:.1f} s")
    first = told[0]
    return [
        Figure(f"{name}: from the request to the end", f"{end:.1f} s"),
        Figure(
            f"{name}: told after {first.epoch} epochs, and what it took",
            f"{first.left:.0f} s, {end - first.at:.0f} s",
        ),
        at_least(f"{name}: right, of {len(told)} told", _right(told, end, ours), 100, "%", 1),
        Figure(f"{name}: right by the mean of all epochs", f"{_right(told, end, plain):.1f} %"),
        Figure(f"{name}: the most that one was off", _worst(told, end)),
    ]


def _right(told: Sequence[Told], end: float, estimate: Callable[[Told], float]) -> float:
    """Return of how many percent of the moments the estimate was right."""
    good = [one for one in told if _is_right(estimate(one), end - one.at)]
    return 100 * len(good) / len(told)


def _is_right(left: float, really: float) -> bool:
    return abs(left - really) <= max(_SHARE * really, _SECONDS)


def _worst(told: Sequence[Told], end: float) -> str:
    """Return the largest share by which one was off, where more than fifteen seconds were left."""
    known = [(abs(one.left - (end - one.at)) / (end - one.at), one) for one in told]
    share, one = max(
        (pair for pair in known if end - pair[1].at > 5 * _SECONDS), key=lambda p: p[0]
    )
    return f"{share:.0%}: {one.left:.0f} s told, {end - one.at:.0f} s taken, epoch {one.epoch}"


if __name__ == "__main__":
    sys.exit(run("time_left", measure))
