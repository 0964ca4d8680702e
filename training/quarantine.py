"""A worker whose GPU failed, and a host whose disk is full, take no run until that is over.

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

from django.conf import settings

from training.process import ROOT, trainer_environment

log = logging.getLogger(__name__)

#: Free space that a training needs to begin: its data, three checkpoints, plots.
RESERVE_BYTES = 1 << 30
#: Between two looks whether the cause is gone; the first comes after as long.
LOOK_SECONDS = 60.0
_PROBE_SECONDS = 120.0


def quarantine(reason: str) -> None:
    """Have this worker take no run until what happened is over; of a disk, all of the host.

    Args:
        reason: `device_failed` or `disk_full`.
    """
    log.error("No training is taken here until this is over: %s", reason)
    _write(reason, time.time())


def refusal() -> str | None:
    """Return why this worker takes no run, or None; now and then look whether the cause is gone."""
    return next((reason for reason in _PROBES if _still(reason)), None)


def _still(reason: str) -> bool:
    looked_at = _read(reason)
    if looked_at is None:
        return False
    if abs(time.time() - looked_at) < LOOK_SECONDS:
        return True
    if _PROBES[reason]():
        log.warning("Trainings are taken again: over is %s", reason)
        _file(reason).unlink(missing_ok=True)
        return False
    _write(reason, time.time())
    return True


def _file(reason: str) -> Path:
    device = "".join(c for c in os.environ.get("CUDA_VISIBLE_DEVICES", "") if c.isalnum())
    # The disk is the host's, whatever card a worker has.
    place = "host" if reason == "disk_full" else device or "card"
    return Path(settings.WORK_DIR) / f"quarantine-{reason}-{place}.json"


def _write(reason: str, looked_at: float) -> None:
    try:
        _file(reason).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _file(reason).write_text(json.dumps({"looked_at": looked_at}), encoding="ascii")
    except OSError:
        # On a disk without any space: whoever asks finds a file that says nothing.
        log.exception("Cannot write down why this worker takes no training")


def _read(reason: str) -> float | None:
    """Return when it was last looked whether it is over; None where it is not so."""
    try:
        text = _file(reason).read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    try:
        return float(json.loads(text)["looked_at"])
    except (ValueError, KeyError, TypeError):  # cut short: the disk was full
        return 0.0


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


_PROBES: dict[str, Callable[[], bool]] = {
    "disk_full": _has_space,
    "device_failed": _device_answers,
}
