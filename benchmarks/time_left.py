"""bench-time-left: is the time left that the portal tells what a training then really takes?

Real trainings, watched as a page watches them. From the third epoch on, each time that is told is
held against what came: right is what is within a fifth of it, or within three seconds, for of the
last seconds nobody asks for a fifth; where nothing is told any more, that counts as no time left.
Target: all of them. The peer is what trainers usually show: the mean of the epochs so far times
those that are left, less what has passed of the one in hand, at the same moments.
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
    """What the portal told at one moment: seconds since the request, whole epochs, seconds left.

    And what the mean of the epochs so far would have told.
    """

    at: float
    epoch: int
    left: float
    by_mean: float


def measure() -> list[Figure]:
    """Train each case, and judge what was told on the way."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="cvt-left-") as folder, portal() as running:
        sample = import_sample(running, Path(folder))
        for name, body in _CASES.items():
            note(name)
            told, end = _watch(running, sample, body)
            figures += _judged(f"{name}, {body['epochs']} epochs", told, end)
    return figures


def _watch(running: Portal, sample: Imported, body: Mapping[str, Any]) -> tuple[list[Told], float]:
    """Train; return what was told from the third epoch on, and the seconds to the run's end."""
    began = time.monotonic()
    wanted = {"project": sample.project, "dataset_version": sample.version, **body}
    place = f"training-runs/{running.client.post('training-runs/', wanted)['id']}/"
    told: list[Told] = []
    ends: list[float] = []  # when the first epoch began, and when each ended
    while True:
        shown = running.client.get(place)
        at = time.monotonic() - began
        if shown["status"] in {"succeeded", "failed", "canceled"}:
            break
        epoch = shown["epoch"]
        if ends or shown["progress"]["phase"] == "train":
            ends += [at] * (epoch + 1 - len(ends))
        if epoch >= _AFTER_EPOCHS and (told or shown["eta_seconds"] is not None):
            mean = (ends[-1] - ends[0]) / epoch
            by_mean = max(mean * (int(body["epochs"]) - epoch) - (at - ends[-1]), 0.0)
            told.append(Told(at, epoch, float(shown["eta_seconds"] or 0), by_mean))
        time.sleep(0.25)
    if shown["status"] != "succeeded" or not told:
        raise SystemExit(f"The training of the benchmark: {shown['status']} {shown['error']}")
    return told, at


def _judged(name: str, told: Sequence[Told], end: float) -> list[Figure]:
    ours = _right(told, end, lambda one: one.left)
    by_mean = _right(told, end, lambda one: one.by_mean)
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
        at_least(f"{name}: right, of {len(told)} told", ours, 100, "%", 1),
        Figure(f"{name}: right by the mean of all epochs", f"{by_mean:.1f} %"),
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
