"""bench-overhead: what the portal adds to a training, against plain `yolo train`.

Same pictures, arguments and seed, one after the other on the same machine. The portal's time counts
from the request to the end of the run, model registered; the peer's is the whole process. Target:
ratio <= 1.05, mAP50 within 0.01.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, at_most, run
from benchmarks.portal import Imported, Portal, import_sample, portal
from samples.demo_settings import TRAINING

_TARGET = 1.05
_MAP_TARGET = 0.01
_EPOCHS = int(os.environ.get("BENCH_EPOCHS", str(TRAINING["epochs"])))


def measure() -> list[Figure]:
    """Train in the portal, then plainly."""
    body = {**TRAINING, "epochs": _EPOCHS, "patience": 0}
    with tempfile.TemporaryDirectory(prefix="cvt-overhead-") as folder:
        with portal() as running:
            sample = import_sample(running, Path(folder))
            ours, training = _train_in_portal(running, sample, body)
            data = _materialise(running, sample.version, Path(folder))
            arguments = _arguments(running, training)
        # The portal has ended: the peer has the machine to itself.
        theirs, peer = _train_plainly(data, training["base_model"], arguments, Path(folder))
    return [
        Figure(f"portal, {_EPOCHS} epochs, from the request to the model", f"{ours:.1f} s"),
        Figure("plain `yolo train`, the whole process", f"{theirs:.1f} s"),
        at_most("ratio of wall times", ours / theirs, _TARGET, "", 3),
        Figure("best mAP50, portal", f"{training['best']['map50']:.4f}"),
        Figure("best mAP50, plain", f"{peer:.4f}"),
        at_most("difference", abs(training["best"]["map50"] - peer), _MAP_TARGET, "", 4),
    ]


def _train_in_portal(
    running: Portal, sample: Imported, body: dict[str, Any]
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
        f"print(json.dumps(to_train_arguments(TrainingRun.objects.get(pk={training['id']!r}).options)))"
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
