"""What a training runs on: the libraries and the machine, for whoever wants to repeat it.

Import this only after `trainer_process.prepare_libraries`.
"""

import hashlib
import os
import platform
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torchvision
import ultralytics

from training.messages import Facts, Machine
from training.nvidia_driver import driver_version

_MEBIBYTE = 1 << 20


def facts(device: Any, weights: str | None) -> Facts:
    """Return what a training with these starting weights runs on.

    Args:
        device: the trainer's, a `torch.device`.
        weights: where they lie; None for a start from scratch, or to go on.
    """
    found = Facts(versions=versions(), machine=machine(device))
    if weights is not None:
        with Path(weights).open("rb") as file:
            found["weights_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def peak_memory_mb(device: Any) -> float | None:
    """Return the most memory that this program took of its GPU since it was last asked, in MB.

    The most that was reserved, and what the driver takes for the program: the card is its own.
    None on a processor.
    """
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    beside = max(int(total - free - torch.cuda.memory_reserved(device)), 0)
    most = int(torch.cuda.max_memory_reserved(device)) + beside
    torch.cuda.reset_peak_memory_stats(device)
    return round(most / _MEBIBYTE, 1)


def forget_peak(device: Any) -> None:
    """Have `peak_memory_mb` begin anew: what was tried before is no part of an epoch."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def versions() -> dict[str, str]:
    """Return the versions that a result depends on; CUDA's only where torch was built with it."""
    cudnn = torch.backends.cudnn.version() if torch.version.cuda else None
    found = {
        "python": platform.python_version(),
        "ultralytics": ultralytics.__version__,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "cuda": torch.version.cuda,
        "cudnn": cudnn,
    }
    return {name: str(version) for name, version in found.items() if version}


def machine(device: Any) -> Machine:
    """Return what kind of machine this is; nothing that names it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MEBIBYTE
    found = Machine(
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        cpus=os.cpu_count() or 1,
        memory_mb=memory,
    )
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        found["gpu"] = str(card.name)
        found["gpu_memory_mb"] = card.total_memory // _MEBIBYTE
        found["gpu_capability"] = f"{card.major}.{card.minor}"
    if driver := driver_version():
        found["driver"] = driver
    return found
