"""bench-start: from "Start training" to the trainer's first log line, with a free worker.

Stages by the portal's own clock: request answered, run claimed, first line, training loop begun.
Target: first line within 2 s (median of five).
"""

import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, at_most, run
from benchmarks.portal import Imported, Portal, import_sample, portal
from samples.demo_settings import TRAINING

_TARGET = 2.0
_ROUNDS = 5
_STAGES = (
    "request answered",
    "claimed by a worker",
    "the trainer's first line",
    "first epoch begins",
)


def measure() -> list[Figure]:
    """Measure five starts."""
    with portal() as running, tempfile.TemporaryDirectory(prefix="cvt-start-") as folder:
        sample = import_sample(running, Path(folder))
        rounds = [_start(running, sample) for _ in range(_ROUNDS)]
    figures = []
    for stage, seconds in zip(_STAGES, zip(*rounds, strict=True), strict=True):
        what = f"{stage}, median of {_ROUNDS} (worst {max(seconds):.2f} s)"
        median = statistics.median(seconds)
        if stage == "the trainer's first line":
            figures.append(at_most(what, median, _TARGET, "s"))
        else:
            figures.append(Figure(what, f"{median:.2f} s"))
    return figures


def _start(running: Portal, sample: Imported) -> tuple[float, float, float, float]:
    time.sleep(15)  # the worker is free again, and so is the machine
    client = running.client
    began = time.time()
    body = {"project": sample.project, "dataset_version": sample.version, **TRAINING}
    begun = client.post("training-runs/", body)
    answered = time.time() - began
    frames: list[dict[str, Any]] = []
    for frame in client.events(f"training-runs/{begun['id']}/"):
        frames.append(frame)
        if frame["type"] == "progress" and frame.get("phase") == "train":
            break
    client.post(f"training-runs/{begun['id']}/cancel/", {})
    client.wait(f"training-runs/{begun['id']}/")
    claimed = _first(frames, lambda f: f["type"] == "status" and f["status"] == "running")
    speaks = _first(frames, _is_of_the_trainer)
    return answered, claimed - began, speaks - began, _at(frames[-1]) - began


def _is_of_the_trainer(frame: dict[str, Any]) -> bool:
    """Tell the trainer's first words from what its supervisor says before and beside it."""
    words = f"Training: {TRAINING['base_model']}, {TRAINING['epochs']} epochs"
    return bool(frame["type"] == "log" and frame["text"] == words)


def _first(frames: list[dict[str, Any]], is_it: Any) -> float:
    found = next((frame for frame in frames if is_it(frame)), None)
    if found is None:
        raise SystemExit(f"Not in the story of the run: {is_it}\n{frames}")
    return _at(found)


def _at(frame: dict[str, Any]) -> float:
    return datetime.fromisoformat(frame["at"]).timestamp()


if __name__ == "__main__":
    sys.exit(run("start", measure))
