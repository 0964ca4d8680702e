"""The same training twice: plain `yolo train`, and the portal's trainer on prepared pictures."""

import csv
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.messages import Data, Spec
from training.options import default_options
from training.process import TrainerProcess
from training.trainer_arguments import library_value, select_options
from training.trainer_loaders import AUTOMATIC

_WEIGHTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "weights"


@dataclass(frozen=True)
class Trained:
    """What a training has to show: by epoch the seconds since its first began, and its mAP50."""

    seconds: list[float]
    map50: list[float]
    #: From its start to its end, libraries and all.
    wall: float

    @property
    def epoch_seconds(self) -> list[float]:
        """Return how long each epoch took, its validation included."""
        return [b - a for a, b in zip([0.0, *self.seconds], self.seconds, strict=False)]


def weights(name: str) -> Path | None:
    """Return pretrained weights, where there are some."""
    folders = (Path(os.environ.get("CVTRAINER_WEIGHTS_DIR", "/nowhere")), _WEIGHTS)
    return next((found for folder in folders if (found := folder / f"{name}.pt").is_file()), None)


def options(**changes: Any) -> dict[str, Any]:
    """Return all options of the trainer, the portal's defaults but for some."""
    return select_options({**default_options(), **changes})


def train_plainly(
    data: Path, *, model: str, classes: int, settings: dict[str, Any], folder: Path, loaders: int
) -> Trained:
    """Run `yolo train` as a person would."""
    folder.mkdir(parents=True)
    names = "\n".join(f"  {index}: class {index}" for index in range(classes))
    description = folder / "data.yaml"
    description.write_text(f"path: {data}\ntrain: images/train\nval: images/val\nnames:\n{names}\n")
    start = weights(model)
    values = {name: library_value(name, value) for name, value in settings.items()}
    words = [f"{name}={value}" for name, value in values.items()]
    words += [f"model={start or model + '.yaml'}", f"data={description}", f"project={folder}"]
    words += ["name=run", f"pretrained={start is not None}", f"workers={loaders}"]
    began = time.monotonic()
    with (folder / "log").open("wb") as log:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "yolo"), "train", *words],
            env={
                **os.environ,
                "YOLO_CONFIG_DIR": str(folder),
                "YOLO_OFFLINE": "1",
                "YOLO_AUTOINSTALL": "0",
            },
            check=False,
            stdout=log,
            stderr=log,
        )
    if done.returncode:
        raise SystemExit(f"yolo train failed: {(folder / 'log').read_text()[-2000:]}")
    return _read(folder / "run" / "results.csv", time.monotonic() - began)


def train_prepared(
    data: Path,
    *,
    model: str,
    classes: int,
    settings: dict[str, Any],
    folder: Path,
    loaders: int = AUTOMATIC,
) -> Trained:
    """Run the portal's trainer, as its supervisor does."""
    work = folder / "work"
    work.mkdir(parents=True)
    start = weights(model)
    spec = Spec(
        data=Data(root=str(data), names=[f"class {index}" for index in range(classes)]),
        base_model=model if start else f"{model}-scratch",
        weights=str(start) if start else None,
        options=settings,
        work_dir=str(work),
        loader_workers=loaders,
    )
    began = time.monotonic()
    with TrainerProcess.cold(config_dir=folder / "config") as trainer:
        trainer.start(spec)
        while (message := trainer.receive(600)) is None or message["type"] != "done":
            if message is None or message["type"] == "failed":
                raise SystemExit(f"The trainer did not finish: {message}")
    return _read(work / "run" / "results.csv", time.monotonic() - began)


def _read(results: Path, wall: float) -> Trained:
    with results.open(encoding="utf-8", newline="") as file:
        rows = [
            {name.strip(): value for name, value in row.items()} for row in csv.DictReader(file)
        ]
    return Trained(
        [float(row["time"]) for row in rows],
        [float(row["metrics/mAP50(B)"]) for row in rows],
        wall,
    )
