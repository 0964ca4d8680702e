"""What a finished training leaves: the model alone, its figures, plots and tables.

Import this only after `trainer_process.prepare_libraries`.
"""

import json
import os
import threading
from pathlib import Path
from typing import Any

import torch
import yaml
from ultralytics.nn.tasks import torch_safe_load

from training.messages import Artifact
from training.trainer_arguments import OPTION_NAMES, SCRATCH
from training.trainer_predictions import FILE_NAME

_KEPT = ("date", "version", "license", "docs", "model", "train_metrics", "train_results")
_PLOT_SECONDS = 60.0
#: What we leave to the library and its results depend on; another release may have other defaults.
_LEFT_TO_THE_LIBRARY = (
    *("bgr", "compile", "copy_paste", "copy_paste_mode", "deterministic", "fraction", "iou"),
    *("max_det", "nbs", "pretrained", "rect", "single_cls", "warmup_bias_lr", "warmup_momentum"),
    # Each loader worker draws its own random numbers.
    "workers",
)


def export_model(best: Path, target: Path, *, base_model: str) -> None:
    """Write the best model without anything of this host: paths, git, optimizer.

    Args:
        best: the stripped best.pt of the run.
        target: where to; appears only when it is complete.
    """
    checkpoint, _file = torch_safe_load(str(best))
    arguments = dict(checkpoint["train_args"])
    kept = {name: arguments[name] for name in OPTION_NAMES if name in arguments}
    kept |= {"task": "detect", "mode": "train", "model": base_model, "single_cls": False}
    content: dict[str, Any] = {name: checkpoint.get(name) for name in _KEPT}
    content |= {"train_args": kept, "epoch": -1, "ema": None, "optimizer": None}
    model = content["model"]
    model.args = kept
    model.pt_path = None
    part = target.with_name(f"{target.name}.part")
    with part.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def final_metrics(validator: Any) -> dict[str, Any]:
    """Return how the best model does on the validation set, over all and for each class.

    `recommended_confidence` is the threshold with the best balance of finding and being right.
    """
    metrics = validator.metrics
    precision, recall, map50, map50_95 = (float(value) for value in metrics.mean_results())
    return {
        "precision": precision,
        "recall": recall,
        "map50": map50,
        "map50_95": map50_95,
        "recommended_confidence": _best_confidence(metrics.box),
        "per_class": [_class_metrics(metrics, index) for index in range(len(metrics.names))],
    }


def _class_metrics(metrics: Any, index: int) -> dict[str, Any]:
    found = {int(number): place for place, number in enumerate(metrics.ap_class_index)}
    values = metrics.class_result(found[index]) if index in found else (None,) * 4
    precision, recall, ap50, ap50_95 = (None if v is None else float(v) for v in values)
    return {
        "class_id": index,
        "class_name": metrics.names[index],
        "boxes": int(metrics.nt_per_class[index]),
        "images": int(metrics.nt_per_image[index]),
        "precision": precision,
        "recall": recall,
        "ap50": ap50,
        "ap50_95": ap50_95,
    }


def _best_confidence(box: Any) -> float | None:
    curve = getattr(box, "f1_curve", None)
    if curve is None or len(curve) == 0:
        return None
    mean = curve.mean(0)
    return round(float(box.px[mean.argmax()]), 3) if float(mean.max()) > 0 else None


def write_evaluation(validator: Any, metrics: dict[str, Any], target: Path) -> None:
    """Write metrics and the confusion matrix (rows: found as, columns: really) as JSON."""
    names = [validator.metrics.names[index] for index in range(len(validator.metrics.names))]
    matrix = getattr(validator.confusion_matrix, "matrix", None)
    confusion = None
    if matrix is not None:
        confusion = {"labels": [*names, "background"], "matrix": matrix.astype(int).tolist()}
    text = json.dumps({"metrics": metrics, "confusion": confusion}, ensure_ascii=False)
    target.write_text(text, encoding="utf-8")


def write_arguments(arguments: dict[str, Any], model: str, target: Path) -> None:
    """Write the arguments of the run for whoever wants to repeat it; no path of this host.

    The file is what `yolo train cfg=` takes, beside `data=`.

    Args:
        model: what it started from: a file name.
    """
    names = (*OPTION_NAMES, *_LEFT_TO_THE_LIBRARY)
    kept = {name: arguments[name] for name in names if name in arguments}
    content = {"task": "detect", "mode": "train", "model": model, **kept}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    target.write_text(text, encoding="utf-8")


def library_name(base_model: str) -> str:
    """Return what the library calls a base model: weights, or the description of an empty one."""
    name = base_model.removesuffix(SCRATCH)
    return f"{name}.pt" if name == base_model else f"{name}.yaml"


def wait_for_plots() -> None:
    """Wait for the threads in which the library still draws."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(_PLOT_SECONDS)


def collect_artifacts(run: Path, out: Path) -> list[Artifact]:
    """Return the files worth keeping, by name."""
    plots = sorted([*run.glob("*.png"), *run.glob("*.jpg")])
    found = [Artifact(name=path.name, kind="plot", path=str(path)) for path in plots]
    for path, kind in (
        (run / "results.csv", "table"),
        (out / "args.yaml", "arguments"),
        (out / "evaluation.json", "evaluation"),
        (run / FILE_NAME, "predictions"),
        (out / "best.pt", "model"),
    ):
        if path.exists():
            found.append(Artifact(name=path.name, kind=kind, path=str(path)))  # type: ignore[typeddict-item]
    return found
