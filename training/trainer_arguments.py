"""The arguments of the training library: a closed list from the options, all the rest set by us."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.messages import ProtocolError, Spec
from training.trainer_loaders import choose_loaders

OPTION_NAMES = (
    "epochs", "patience", "batch", "imgsz", "optimizer", "lr0", "lrf", "seed", "amp",
    "warmup_epochs", "momentum", "weight_decay", "cos_lr", "box", "cls", "dfl", "cls_pw", "freeze",
    "multi_scale", "mosaic", "close_mosaic", "mixup", "cutmix", "degrees", "translate", "scale",
    "shear", "perspective", "fliplr", "flipud", "hsv_h", "hsv_s", "hsv_v",
)  # fmt: skip
"""Everything of the library that a user can reach; `training.options` declares the same names."""

SCRATCH = "-scratch"
"""End of the names of base models that start without weights."""

_PRECISION: Mapping[str, Any] = {"auto": True, "bf16": "bf16", "fp32": False}

RUN_FOLDER = "run"
"""Where the library writes, inside the work folder."""

_CONSTANT: Mapping[str, Any] = {
    "task": "detect",
    "mode": "train",
    "name": RUN_FOLDER,
    "exist_ok": True,
    "cache": False,
    "resume": False,
}


def select_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of the closed list; whatever else stands there is left out."""
    return {name: options[name] for name in OPTION_NAMES if name in options}


def library_value(name: str, value: Any) -> Any:
    """Return what the library calls the value of an option.

    Raises:
        ProtocolError: there is no such precision.
    """
    if name != "amp":
        return value
    if value not in _PRECISION:
        raise ProtocolError(f"There is no precision {value}.")
    return _PRECISION[value]


def train_arguments(spec: Spec, *, data: Path, model: str, device: str) -> dict[str, Any]:
    """Return all arguments of one training; what is not named keeps the library's default.

    Args:
        data: the data.yaml that we wrote ourselves.
        model: `X.yaml` of the library, or the absolute path of weights.
        device: as the library names it, `cpu` or the index of a GPU.

    Raises:
        ProtocolError: the spec holds an option that is not on the list, or misses one.
    """
    unknown = spec.options.keys() - set(OPTION_NAMES)
    missing = set(OPTION_NAMES) - spec.options.keys()
    if unknown or missing:
        raise ProtocolError(f"Options unknown: {sorted(unknown)}, missing: {sorted(missing)}.")
    return {
        **{name: library_value(name, value) for name, value in spec.options.items()},
        **_CONSTANT,
        "data": str(data),
        "model": model,
        "device": device,
        "project": spec.work_dir,
        "workers": choose_loaders(
            spec.loader_workers,
            device=device,
            batch=int(spec.options["batch"]),
            imgsz=int(spec.options["imgsz"]),
        ),
        "pretrained": not model.endswith(".yaml"),
    }
