"""bench-detect: what the API adds to a detection, against `model.predict` in one process.

One picture of 640 pixels, model and libraries warm on both sides, in turns on the same machine. The
API's time is a client's: send the picture, wait for the answer with its boxes. A drawn picture, and
a real one where ../shared/data is there. Target: at most 30 ms more at the median.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.figures import Figure, at_most, note, run
from benchmarks.portal import ROOT, Portal, import_zip, portal, trained_model
from samples.shelf_scenes import as_jpeg, draw_scene, write_sample_zip

_TARGET_MS = 30.0
_TURNS = 5
_A_TURN = 20
_SIDE = 640
_CONF = 0.25
#: Real pictures and weights, where they lie beside the checkout; the project holds none.
_REAL = ROOT.parent / "shared" / "data"
_CELLS = _REAL / "datasets" / "bccd" / "bccd-yolo.zip"
_PICTURE = "test/images/BloodImage_00007.jpg"

_PEER = """
import sys, time
from ultralytics import YOLO
model = YOLO(sys.argv[1])
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        began = time.perf_counter()
        model.predict(sys.argv[2], imgsz=int(sys.argv[3]), conf=0.05, verbose=False)
        times.append(1000 * (time.perf_counter() - began))
    print("ms", *times, flush=True)
"""


def measure() -> list[Figure]:
    """Ask the portal and the library in turns: about a drawn shelf, then about a real picture."""
    weights = {"CVTRAINER_WEIGHTS_DIR": str(_REAL / "weights")} if _is_here() else {}
    with tempfile.TemporaryDirectory(prefix="cvt-detect-") as name, portal(**weights) as running:
        folder = Path(name)
        archive, picture = folder / "small.zip", folder / "shelf.jpg"
        write_sample_zip(archive, images=12, seed=1, size=(_SIDE, _SIDE * 3 // 4))
        picture.write_bytes(as_jpeg(draw_scene(Random(3), (_SIDE, _SIDE * 3 // 4))[0]))
        note("one epoch for a model to ask")
        body = {"base_model": "yolov8n-scratch", "epochs": 1, "imgsz": _SIDE, "batch": 4}
        model = trained_model(running, import_zip(running, archive), body)
        added, stages = _compare(running, model, picture, folder)
        return [*added, *stages, *_on_real_data(running, folder)]


def _on_real_data(running: Portal, folder: Path) -> list[Figure]:
    """Have the pretrained yolo11n learn blood cells for an epoch, and ask about a picture of them.

    There are a dozen cells on each picture: unlike on a drawn one, much is found.
    """
    if not _is_here():
        return [Figure("real data (BCCD, yolo11n)", "not measured: ../shared/data is not here")]
    archive, picture = folder / "cells.zip", folder / "cells.jpg"
    with zipfile.ZipFile(_CELLS) as cells, zipfile.ZipFile(archive, "w") as some:
        for entry in _part_of(cells.namelist()):
            some.writestr(entry, cells.read(entry))
        picture.write_bytes(cells.read(_PICTURE))
    note("one epoch of yolo11n on real pictures")
    body = {"base_model": "yolo11n", "epochs": 1, "imgsz": _SIDE, "batch": 4}
    model = trained_model(running, import_zip(running, archive), body)
    return _compare(running, model, picture, folder, what="BCCD, yolo11n: ")[0]


def _part_of(names: list[str]) -> list[str]:
    """Return the names in the archive of the first pictures for training and validation."""
    kept = [name for name in names if name == "data.yaml"]
    for split, count in (("train", 24), ("valid", 8)):
        stems = sorted(Path(n).stem for n in names if n.startswith(f"{split}/images/"))[:count]
        for stem in stems:
            kept += [f"{split}/images/{stem}.jpg", f"{split}/labels/{stem}.txt"]
    return kept


def _is_here() -> bool:
    return _CELLS.is_file() and (_REAL / "weights" / "yolo11n.pt").is_file()


def _compare(
    running: Portal, model: str, picture: Path, folder: Path, *, what: str = ""
) -> tuple[list[Figure], list[Figure]]:
    """Return what the API adds to a model's prediction, and the stages by the portal's clock."""
    weights = folder / f"{model}.pt"
    running.client.download(f"models/{model}/download/?format=pt", weights)
    with _peer(weights, picture, folder) as peer:
        answers, plain = _in_turns(running, model, picture, peer)
    ours = statistics.median(milliseconds for milliseconds, _ in answers)
    theirs = statistics.median(plain)
    clock = {
        stage: statistics.median(timing[stage] for _, timing in answers)
        for stage in ("queue", "preprocess", "inference", "postprocess", "total")
    }
    figures = [
        Figure(f"{what}model.predict, median of {len(plain)}", f"{theirs:.1f} ms"),
        Figure(f"{what}the API, seen by a client", f"{ours:.1f} ms"),
        at_most(f"{what}added", ours - theirs, _TARGET_MS, "ms", 1),
    ]
    return figures, [
        Figure(f"the portal's own clock: {name}", f"{ms:.1f} ms") for name, ms in clock.items()
    ]


def _in_turns(
    running: Portal, model: str, picture: Path, peer: "subprocess.Popen[str]"
) -> tuple[list[tuple[float, dict[str, float]]], list[float]]:
    """Return the API's answers as (ms, own timing), and the peer's ms; turn 0 is a warm-up."""
    answers: list[tuple[float, dict[str, float]]] = []
    plain: list[float] = []
    for turn in range(_TURNS + 1):
        ours = [_ask(running, model, picture) for _ in range(_A_TURN)]
        theirs = _ask_peer(peer, _A_TURN)
        if turn:
            answers += ours
            plain += theirs
    return answers, plain


def _ask(running: Portal, model: str, picture: Path) -> tuple[float, dict[str, float]]:
    fields: dict[str, Any] = {"model": model, "conf": _CONF, "wait": 30}
    began = time.perf_counter()
    answer = running.client.upload("detections/", fields, [("images", picture)])
    milliseconds = 1000 * (time.perf_counter() - began)
    if answer["status"] != "succeeded":
        raise SystemExit(f"A detection did not succeed: {answer['status']} {answer['error']}")
    return milliseconds, answer["timing_ms"]


def _peer(weights: Path, picture: Path, folder: Path) -> "subprocess.Popen[str]":
    import os

    arguments = [str(weights), str(picture), str(_SIDE)]
    return subprocess.Popen(
        [sys.executable, "-c", _PEER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "YOLO_CONFIG_DIR": str(folder / "config"), "YOLO_OFFLINE": "1"},
    )


def _ask_peer(peer: "subprocess.Popen[str]", count: int) -> list[float]:
    assert peer.stdin is not None and peer.stdout is not None
    peer.stdin.write(f"{count}\n")
    peer.stdin.flush()
    for line in peer.stdout:  # the library has its own things to say there
        if line.startswith("ms "):
            return [float(word) for word in line.split()[1:]]
    raise SystemExit("The peer of the benchmark ended.")


if __name__ == "__main__":
    sys.exit(run("detect", measure))
