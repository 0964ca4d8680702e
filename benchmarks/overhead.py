"""bench-overhead: what the portal adds to a training, against plain `yolo train`.

Same pictures, arguments and seed, one after the other on the same machine. The portal's time counts
from the request to the end of the run, model registered; the peer's is the whole process. Targets:
ratio <= 1.05 for the demo's short epochs and <= 1.02 where an epoch takes a minute, each mAP50
within 0.01 of the peer's.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, at_least, at_most, run
from benchmarks.portal import Imported, Portal, import_sample, portal
from samples.demo_settings import TRAINING

_MAP_TARGET = 0.01
_EPOCHS = int(os.environ.get("BENCH_EPOCHS", str(TRAINING["epochs"])))
_SHORT = {**TRAINING, "epochs": _EPOCHS, "patience": 0}
#: Nineteen times the pixels: an epoch takes a minute and more on two cores.
_LONG = {**_SHORT, "epochs": int(os.environ.get("BENCH_LONG_EPOCHS", "3")), "imgsz": 704}
_LONG["advanced"] = {"warmup_epochs": 1, "close_mosaic": 1}
#: What is trained, and the highest ratio of wall times.
_CASES = {"short epochs": (_SHORT, 1.05), "long epochs": (_LONG, 1.02)}


def measure() -> list[Figure]:
    """Train in the portal, then plainly."""
    ours: dict[str, tuple[float, dict[str, Any]]] = {}
    arguments: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="cvt-overhead-") as folder:
        with portal() as running:
            sample = import_sample(running, Path(folder))
            for name, (body, _) in _CASES.items():
                ours[name] = _train_in_portal(running, sample, body)
                arguments[name] = _arguments(running, ours[name][1])
            data = _materialise(running, sample.version, Path(folder))
        # The portal has ended: the peer has the machine to itself.
        figures: list[Figure] = []
        for name in _CASES:
            place = Path(folder) / name.replace(" ", "-")
            place.mkdir()
            theirs = _train_plainly(data, TRAINING["base_model"], arguments[name], place)
            figures += _compared(name, ours[name], theirs)
    return figures


def _compared(
    name: str, ours: tuple[float, dict[str, Any]], theirs: tuple[float, float]
) -> list[Figure]:
    """Return the figures of one case, given wall times and what came of each."""
    (body, limit), (seconds, training), (plain_seconds, plain_map50) = _CASES[name], ours, theirs
    epochs, map50 = body["epochs"], training["best"]["map50"]
    figures = [
        Figure(f"{name}: portal, {epochs} of them, from the request on", f"{seconds:.1f} s"),
        Figure(f"{name}: plain `yolo train`, the whole process", f"{plain_seconds:.1f} s"),
        at_most(f"{name}: ratio of wall times", seconds / plain_seconds, limit, "", 3),
        Figure(f"{name}: best mAP50, portal and plain", f"{map50:.4f} and {plain_map50:.4f}"),
        at_most(f"{name}: difference", abs(map50 - plain_map50), _MAP_TARGET, "", 4),
    ]
    if body is _LONG:
        figures.append(at_least(f"{name}: one, plain", plain_seconds / epochs, 60, "s", 0))
    return figures


def _train_in_portal(
    running: Portal, sample: Imported, body: Mapping[str, Any]
) -> tuple[float, dict[str, Any]]:
    began = time.monotonic()
    wanted = {"project": sample.project, "dataset_version": sample.version, **body}
    begun = running.client.post("training-runs/", wanted)
    done = running.client.wait(f"training-runs/{begun['id']}/", interval=0.1)
    seconds = time.monotonic() - began
    if done["status"] != "succeeded":
        raise SystemExit(f"The portal's training failed: {done['error']}")
    return seconds, done


def _materialise(running: Portal, version: str, folder: Path) -> Path:
    code = (
        "from pathlib import Path; from datasets.models import DatasetVersion;"
        "from datasets.materialize import materialize, write_data_yaml;"
        f"target = Path({str(folder / 'data')!r});"
        f"names = materialize(DatasetVersion.objects.get(pk={version!r}), target);"
        "print(write_data_yaml(target, names))"
    )
    return Path(running.manage("shell", "--no-imports", "-c", code).splitlines()[-1])


def _arguments(running: Portal, training: dict[str, Any]) -> dict[str, Any]:
    """Return what the portal's trainer really hands to the library, without its paths."""
    code = (
        "import json; from training.models import TrainingRun;"
        "from training.options import to_train_arguments;"
        "from training.trainer_arguments import library_value;"
        f"options = TrainingRun.objects.get(pk={training['id']!r}).options;"
        "arguments = to_train_arguments(options).items();"
        "print(json.dumps({name: library_value(name, value) for name, value in arguments}))"
    )
    found: dict[str, Any] = json.loads(
        running.manage("shell", "--no-imports", "-c", code).splitlines()[-1]
    )
    return found


def _train_plainly(
    data: Path, base_model: str, arguments: dict[str, Any], folder: Path
) -> tuple[float, float]:
    """Run `yolo train` as a person would; return its wall time and best mAP50."""
    model = f"{base_model.removesuffix('-scratch')}.yaml"
    words = [f"{name}={value}" for name, value in arguments.items()]
    environment = {
        **os.environ,
        "YOLO_CONFIG_DIR": str(folder / "config"),
        "YOLO_OFFLINE": "1",
        "YOLO_AUTOINSTALL": "0",
    }
    command = [str(Path(sys.executable).parent / "yolo"), "train", f"model={model}", f"data={data}"]
    places = [f"project={folder / 'peer'}", "name=run", "pretrained=False"]
    began = time.monotonic()
    with (folder / "peer.log").open("wb") as log:
        subprocess.run(
            [*command, *places, *words], env=environment, check=True, stdout=log, stderr=log
        )
    seconds = time.monotonic() - began
    lines = (folder / "peer" / "run" / "results.csv").read_text(encoding="utf-8").splitlines()
    column = [name.strip() for name in lines[0].split(",")].index("metrics/mAP50(B)")
    return seconds, max(float(line.split(",")[column]) for line in lines[1:])


if __name__ == "__main__":
    sys.exit(run("overhead", measure))
