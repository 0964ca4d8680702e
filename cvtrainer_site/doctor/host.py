"""The machine: PyTorch and GPU, shared memory, disk, fonts, pretrained weights."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings
from PIL import ImageFont

from cvtrainer_site.doctor.finding import Finding, gib, well, wrong
from cvtrainer_site.supervisor.plan import gpus
from training.cards import CardsSilent, cards_of_host
from training.kernels import has_kernels
from training.torch_build import TorchAnswer, TorchBroken, answer_of, start_asking

_LEAST_DISK = 5 * 1024**3
#: Docker gives 64 MiB, and loading pictures in several processes then ends in a bus error.
_LEAST_SHARED_MEMORY = 256 * 1024**2
_VIETNAMESE = "ĐƠƯăâêôạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ"


def look_at_torch() -> Finding:
    """Tell whether PyTorch and OpenCV run here, PyTorch on every GPU that the machine has."""
    if find_spec("torch") is None:
        return well("torch", "not installed: this host serves pages, it neither trains nor detects")
    try:
        cards_of_host()
        answer = answer_of(start_asking())
    except CardsSilent as silent:
        return wrong("torch", f"there is a GPU, and its driver does not answer: {silent}")
    except TorchBroken as broken:
        return wrong("torch", f"does not start: {broken}")
    return judge_torch(answer, expected_gpus=len(gpus()))


def judge_torch(answer: TorchAnswer, *, expected_gpus: int) -> Finding:
    """Compare what PyTorch can use with what the machine has."""
    build, cards = f"{answer['version']} (CUDA {answer['cuda']})", answer["cards"]
    if len(cards) < expected_gpus:
        seen = f"{build} sees {len(cards)} of {expected_gpus} GPUs"
        return wrong("torch", f"{seen}: the driver is too old, or the container has no GPU")
    for name, major, minor in cards:
        # A worker on such a card refuses to train for the same reason.
        if not has_kernels(major, minor, answer["kernels"]):
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
