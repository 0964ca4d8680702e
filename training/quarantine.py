"""A worker whose GPU failed, or whose disk is full, takes no run until that is over.

Else it would take the run that it just gave back, and fail it again, while others could do it. It
is remembered in a file, so that a new start of the worker does not forget it.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from training.process import ROOT, trainer_environment

log = logging.getLogger(__name__)

#: Free space that a training needs to begin: its data, three checkpoints, plots.
RESERVE_BYTES = 1 << 30
#: Between two looks whether the cause is gone; the first comes after as long.
LOOK_SECONDS = 60.0
_PROBE_SECONDS = 120.0


def quarantine(reason: str) -> None:
    """Have this worker take no run until what happened is over.

    Args:
        reason: `device_failed` or `disk_full`.
    """
    log.error("This worker takes no training until this is over: %s", reason)
    _write({"reason": reason, "looked_at": time.time()})


def refusal() -> str | None:
    """Return why this worker takes no run, or None; now and then look whether the cause is gone."""
    known = _read()
    if known is None:
        return None
    reason = str(known["reason"])
    if abs(time.time() - float(known["looked_at"])) < LOOK_SECONDS:
        return reason
    if _PROBES.get(reason, _is_well)():
        log.warning("This worker takes trainings again: over is %s", reason)
        _file().unlink(missing_ok=True)
        return None
    _write({**known, "looked_at": time.time()})
    return reason


def _file() -> Path:
    device = "".join(c for c in os.environ.get("CUDA_VISIBLE_DEVICES", "") if c.isalnum())
    return Path(settings.WORK_DIR) / f"quarantine-{device or 'host'}.json"


def _write(known: dict[str, Any]) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _file().write_text(json.dumps(known), encoding="ascii")
    except OSError:
        # On a disk without any space: whoever asks finds a file that says nothing.
        log.exception("Cannot write down why this worker takes no training")


def _read() -> dict[str, Any] | None:
    try:
        text = _file().read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    try:
        known: dict[str, Any] = json.loads(text)
        return {"reason": str(known["reason"]), "looked_at": float(known["looked_at"])}
    except (ValueError, KeyError, TypeError):  # cut short: the disk was full
        return {"reason": "disk_full", "looked_at": 0.0}


def _has_space() -> bool:
    return shutil.disk_usage(settings.WORK_DIR).free >= RESERVE_BYTES


def _device_answers() -> bool:
    """Whether a program of its own can calculate on the GPU; one that is gone does not answer."""
    config = Path(settings.WORK_DIR) / "trainer"
    config.mkdir(parents=True, exist_ok=True, mode=0o700)
    probe = subprocess.Popen(
        [sys.executable, "-m", "training.device_probe"],
        cwd=ROOT,
        env=trainer_environment(config),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return probe.wait(_PROBE_SECONDS) == 0
    except subprocess.TimeoutExpired:
        # Not waited for: what hangs in a driver cannot even be killed.
        probe.kill()
        return False


def _is_well() -> bool:
    return True


_PROBES: dict[str, Callable[[], bool]] = {
    "disk_full": _has_space,
    "device_failed": _device_answers,
}
