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

from benchmarks.portal import Portal, portal
from samples.demo_settings import IMAGES, SEED, SIZE, TRAINING
from samples.shelf_scenes import write_sample_zip
from samples.table import render_table

_TARGET = 1.05
_MAP_TARGET = 0.01
_EPOCHS = int(os.environ.get("BENCH_EPOCHS", "10"))


def main() -> int:
    """Measure both and print one table."""
    body = {**TRAINING, "epochs": _EPOCHS, "patience": 0}
    with portal() as running, tempfile.TemporaryDirectory(prefix="cvt-peer-") as folder:
        project, version = import_sample(running, Path(folder))
        ours, run = _train_in_portal(running, project, version, body)
        data = _materialise(running, version, Path(folder))
        theirs, peer = _train_plainly(
            data, run["base_model"], _arguments(running, run), Path(folder)
        )
    ratio, difference = ours / theirs, abs(run["best"]["map50"] - peer)
    rows = [
        ("portal, request to model", f"{ours:.1f} s", f"{run['best']['map50']:.4f}"),
        ("plain yolo train, whole process", f"{theirs:.1f} s", f"{peer:.4f}"),
        (
            "ratio, difference",
            f"{ratio:.3f} (<= {_TARGET})",
            f"{difference:.4f} (<= {_MAP_TARGET})",
        ),
    ]
    print(render_table((f"bench-overhead, {_EPOCHS} epochs", "wall time", "best mAP50"), rows))
    return 0 if ratio <= _TARGET and difference <= _MAP_TARGET else 1


def import_sample(running: Portal, folder: Path) -> tuple[str, str]:
    """Import the sample ZIP; return the ids of project and version."""
    archive = folder / "sample.zip"
    write_sample_zip(archive, images=IMAGES, seed=SEED, size=SIZE)
    client = running.client
    project = client.post("projects/", {"name": "benchmark"})["id"]
    fields = {"project": project, "dataset_name": "sample", "source": "zip", "split_ratio": 0.2}
    begun = client.upload("imports/", fields, [("file", archive)])
    done = client.wait(f"imports/{begun['id']}/")
    if done["status"] != "succeeded":
        raise SystemExit(f"The import of the sample failed: {done['error']}")
    return project, done["dataset_version"]


def _train_in_portal(
    running: Portal, project: str, version: str, body: dict[str, Any]
) -> tuple[float, dict[str, Any]]:
    began = time.monotonic()
    wanted = {"project": project, "dataset_version": version, **body}
    run = running.client.post("training-runs/", wanted)
    done = running.client.wait(f"training-runs/{run['id']}/", interval=0.1)
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


def _arguments(running: Portal, run: dict[str, Any]) -> dict[str, Any]:
    """Return what the portal's trainer really handed to the library, without its paths."""
    code = (
        "import json; from training.models import TrainingRun;"
        "from training.options import to_train_arguments;"
        f"print(json.dumps(to_train_arguments(TrainingRun.objects.get(pk={run['id']!r}).options)))"
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
    places = [f"project={folder / 'peer'}", "name=run", "workers=0", "pretrained=False"]
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
    sys.exit(main())
