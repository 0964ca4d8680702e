"""The machine: PyTorch and GPU, shared memory, disk, fonts, pretrained weights."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from django.conf import settings
from PIL import ImageFont

from cvtrainer_site.doctor.finding import Finding, gib, well, wrong
from cvtrainer_site.supervisor.plan import gpus

_LEAST_DISK = 5 * 1024**3
#: Docker gives 64 MiB, and loading pictures in several processes then ends in a bus error.
_LEAST_SHARED_MEMORY = 256 * 1024**2
_VIETNAMESE = "ĐƠƯăâêôạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ"
# In a process of its own: this one serves people, and PyTorch is 250 MB. YOLO needs OpenCV too.
_ASK_TORCH = """
import json, cv2, torch
cards = range(torch.cuda.device_count())
print(json.dumps({
    "version": torch.__version__, "cuda": torch.version.cuda,
    "kernels": torch.cuda.get_arch_list(),
    "cards": [[torch.cuda.get_device_name(i), *torch.cuda.get_device_capability(i)] for i in cards],
}))
"""


def look_at_torch() -> Finding:
    """Tell whether PyTorch and OpenCV run here, PyTorch on every GPU that the machine has."""
    if find_spec("torch") is None:
        return well("torch", "not installed: this host serves pages, it neither trains nor detects")
    asked = subprocess.run(
        [sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        return wrong("torch", f"does not start: {asked.stderr.strip().splitlines()[-1]}")
    return judge_torch(json.loads(asked.stdout), expected_gpus=len(gpus()))


class TorchAnswer(TypedDict):
    """What PyTorch says of itself: its kernels (`sm_80`), and each card's name and capability."""

    version: str
    cuda: str | None
    kernels: list[str]
    cards: list[tuple[str, int, int]]


def judge_torch(answer: TorchAnswer, *, expected_gpus: int) -> Finding:
    """Compare what PyTorch can use with what the machine has."""
    build, cards = f"{answer['version']} (CUDA {answer['cuda']})", answer["cards"]
    if len(cards) < expected_gpus:
        seen = f"{build} sees {len(cards)} of {expected_gpus} GPUs"
        return wrong("torch", f"{seen}: the driver is too old, or the container has no GPU")
    for name, major, minor in cards:
        # Kernels of the same generation run on its later cards, never on another one.
        fitting = {f"sm_{major}{lower}" for lower in range(minor + 1)}
        if not fitting & set(answer["kernels"]):
            return wrong("torch", f"{build} has no kernels for {name} (sm_{major}{minor})")
    names = ", ".join(name for name, _, _ in cards)
    return well("torch", f"{build}, {names or 'no GPU: trains on the CPU'}")


def look_at_shared_memory(path: Path = Path("/dev/shm")) -> Finding:  # noqa: S108  the host's own
    """Tell whether processes can hand pictures to each other."""
    if not path.is_dir():
        return wrong("shm", f"{path} is missing")
    usage = shutil.disk_usage(path)
    if usage.total < _LEAST_SHARED_MEMORY:
        return wrong("shm", f"{path} has only {gib(usage.total)}; give the container a shm_size")
    return well("shm", f"{path} {gib(usage.free)} free of {gib(usage.total)}")


def look_at_disk() -> Finding:
    """Tell whether there is room for data and checkpoints."""
    usage = shutil.disk_usage(settings.HOME)
    text = f"{gib(usage.free)} free of {gib(usage.total)} at {settings.HOME}"
    return well("disk", text) if usage.free >= _LEAST_DISK else wrong("disk", f"only {text}")


def look_at_fonts() -> Finding:
    """Tell whether names can be drawn on pictures with all their accents."""
    path = Path(settings.PICTURE_FONT)
    try:
        font = ImageFont.truetype(str(path), 24)
    except OSError:
        return wrong("fonts", f"{path} is missing; `make` fetches it")
    # A letter that the font has not is drawn as this one, which is none.
    missing = bytes(font.getmask("\U0010ffff"))
    if lost := [letter for letter in _VIETNAMESE if bytes(font.getmask(letter)) == missing]:
        return wrong("fonts", f"{path.name} has no {''.join(lost)}")
    return well("fonts", f"{path.name} has Vietnamese")


def look_at_weights() -> Finding:
    """Tell which pretrained models are there; training from scratch needs none."""
    folder = Path(settings.WEIGHTS_DIR)
    names = sorted(path.name for path in folder.glob("*.pt")) if folder.is_dir() else []
    if not names:
        return well("weights", f"no pretrained .pt in {folder}: models start from scratch")
    return well("weights", f"{', '.join(names)} in {folder}")
