"""What a run was made from and on: enough to repeat it, and to know why two runs differ."""

import functools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from training.base_models import BASE_MODELS
from training.models import TrainingRun

NAME = "environment.json"
KIND = "environment"
#: What the trainer says that it really uses.
USED = ("batch", "imgsz", "optimizer", "lr0", "final_lr", "amp", "parameters", "images")
_FACTS = ("versions", "machine", "weights_sha256")
#: Batches with which the attempt in hand ran out of the memory of its card.
TOO_LARGE = "too_large"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def at_start(run: TrainingRun, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is noted of an attempt that begins: `TrainingRun.environment`.

    The architecture is part of it, for the start model may be deleted; so are the weights of the
    first attempt, for those after it begin with a checkpoint.
    """
    kept = {key: message[key] for key in (*USED, *_FACTS) if key in message}
    before = run.environment
    lasting: dict[str, Any] = {}
    if before.get("weights_sha256"):
        lasting["weights_sha256"] = before["weights_sha256"]
    attempt = {
        "number": run.attempt,
        "from_epoch": message.get("start_epoch", 1),
        "device": message["device"],
        "worker": run.worker,
    }
    noted = before.get("attempts", [])
    attempts = [one for one in noted if one["number"] != run.attempt]
    if len(attempts) < len(noted) and TOO_LARGE in before:
        lasting[TOO_LARGE] = before[TOO_LARGE]  # the same attempt, with less than before
    return {
        **lasting,
        **kept,
        "architecture": run.architecture,
        "portal": portal(),
        "attempts": [*attempts, attempt],
    }


def too_large(run: TrainingRun, *batches: int) -> dict[str, Any]:
    """Return `TrainingRun.environment` with more batches that its card had no memory for."""
    known = {*run.environment.get(TOO_LARGE, []), *(batch for batch in batches if batch > 0)}
    return {**run.environment, TOO_LARGE: sorted(known)}


def document(run: TrainingRun) -> dict[str, Any]:
    """Return all that a repetition needs to know, as the artifact holds it."""
    noted = run.environment
    return {
        "run": {"id": str(run.pk), "name": run.name, "seed": run.options.get("seed")},
        "portal": noted.get("portal") or portal(),
        **{key: noted[key] for key in ("versions", "machine", "attempts") if key in noted},
        "base": base(run),
        "options": run.options,
        "used": {key: noted[key] for key in USED if key in noted},
        "data": data(run),
    }


def base(run: TrainingRun) -> dict[str, Any]:
    """Return what a run started from, down to the bytes."""
    model = run.start_model
    return {
        "base_model": run.base_model,
        "architecture": run.architecture,
        "start_model": None if model is None else {"id": str(model.pk), "name": str(model)},
        "weights_sha256": run.environment.get("weights_sha256"),
    }


def start_label(run: TrainingRun) -> str:
    """Return what a run started from, as people call it."""
    if run.start_model is not None:
        return str(run.start_model)
    known = BASE_MODELS.get(run.base_model)
    return known.label if known else _("a model that has been deleted")


def data(run: TrainingRun) -> dict[str, Any]:
    """Return which data a run is trained and measured on; equal fingerprints are equal data."""
    version = run.dataset_version
    return {
        "dataset": version.dataset.name,
        "dataset_version": str(version.pk),
        "number": version.number,
        "fingerprint": version.fingerprint,
        "classes": [item.name for item in version.classes.all()],
        "images": {"train": version.train_images, "val": version.val_images},
        "boxes": version.boxes,
    }


@functools.cache
def portal() -> dict[str, str]:
    """Return the version of this portal, and its commit where it runs from a checkout."""
    root = Path(settings.BASE_DIR)
    commit = _commit(root / ".git")
    return {"version": _version(root), **({"commit": commit} if commit else {})}


def _version(root: Path) -> str:
    """Return what the project calls its version; a file that is missing must not stop a run."""
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        return "?"
    return str(tomllib.loads(text)["project"]["version"])


def _commit(git: Path) -> str | None:
    """Return the commit that is checked out, without starting git; None where that is not told."""
    try:
        head = (git / "HEAD").read_text(encoding="ascii").strip()
        text = head
        if head.startswith("ref: "):
            text = (git / head.removeprefix("ref: ")).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if _COMMIT.fullmatch(text) else None
