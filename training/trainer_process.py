"""The trainer as a process: nobody outlives whom it works for, and no library reaches the net.

Imports neither Django nor torch; called before torch is imported.
"""

import ctypes
import importlib.util
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

from training.no_network import take_network_away
from training.processors import processors

_PR_SET_PDEATHSIG = 1

LIBRARY_ENVIRONMENT: Final = {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "0",
    "YOLO_VERBOSE": "1",
    "ULTRALYTICS_SAFE_LOAD": "1",
    "ULTRALYTICS_SKIP_REQUIREMENTS_CHECKS": "1",
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(200_000_000),
    "MPLBACKEND": "Agg",
    # Asks the driver and not CUDA whether there is a GPU: a warm spare takes no memory on it.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "PYTHONIOENCODING": "utf-8",
}
#: How many threads train on a processor. Where nobody has said anything the library says one in
#: `OMP_NUM_THREADS`, so that this cannot be read there once it is imported.
THREADS: Final = "CVTRAINER_TRAINER_THREADS"
#: More do not help models of this size.
_MOST_THREADS: Final = 8
_SECRETS: Final = (
    "ULTRALYTICS_API_KEY",
    "WANDB_API_KEY",
    "COMET_API_KEY",
    "CLEARML_API_SECRET_KEY",
)
_INTEGRATIONS: Final = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
_FONT: Final = "mpl-data/fonts/ttf/DejaVuSans.ttf"


def isolate(parent: int | None = None) -> None:
    """Become the leader of an own process group that dies with its parent, and has no network.

    Args:
        parent: process that must still be the parent; where it is gone, this one ends.
    """
    os.umask(0o077)
    if os.getpgrp() != os.getpid():
        os.setsid()
    # Ctrl-C and a closed terminal are for the portal, which takes its trainers down in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = os.getppid()
    die_with_parent()
    if os.getppid() != (before if parent is None else parent):
        kill_group()
    os.register_at_fork(after_in_child=die_with_parent)
    take_network_away()


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the thread that started this process ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def kill_group() -> NoReturn:
    """End this process and all that it started, at once."""
    os.killpg(0, signal.SIGKILL)
    os._exit(1)


def prepare_libraries(config_dir: Path) -> None:
    """Set what the training library reads when it is imported, and give it fonts.

    Args:
        config_dir: private folder for its settings; may be used by several trainers.
    """
    home = config_dir / "Ultralytics"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ.update(LIBRARY_ENVIRONMENT)
    os.environ["YOLO_CONFIG_DIR"] = str(config_dir)
    os.environ["MPLCONFIGDIR"] = str(config_dir / "matplotlib")
    os.environ[THREADS] = str(_threads())
    for name in _SECRETS:
        os.environ.pop(name, None)
    _place(home / "settings.json", json.dumps(_settings(home), indent=2).encode())
    _place_fonts(home)


def _threads() -> int:
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted):
        return int(wanted)
    # One core is left to the portal.
    return max(1, min(_MOST_THREADS, processors() - 1))


def _settings(home: Path) -> dict[str, object]:
    """Return the library's settings, version 0.0.8: nothing is sent or synchronised."""
    return {
        "settings_version": "0.0.8",
        "datasets_dir": str(home / "datasets"),
        "weights_dir": str(home / "weights"),
        "runs_dir": str(home / "runs"),
        "uuid": "0" * 64,
        "sync": False,
        "api_key": "",
        "openai_api_key": "",
        **dict.fromkeys(_INTEGRATIONS, False),
        "vscode_msg": False,
        "openvino_msg": False,
    }


def _place_fonts(home: Path) -> None:
    """Put a font with Vietnamese where plots look for Arial, which would come from the net."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        sys.exit("matplotlib is not installed")
    font = Path(spec.origin).parent / _FONT
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if not (home / name).exists():
            _place(home / name, font.read_bytes())


def _place(path: Path, content: bytes) -> None:
    """Write a file in one step: another trainer may be reading it."""
    if path.exists() and path.read_bytes() == content:
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(content)
    shutil.move(part, path)
