"""How many processes load pictures for a training: what the GPU needs, and the host can bear."""

import shutil
from pathlib import Path

from training.processors import processors

AUTOMATIC = -1
#: More than the library itself takes by default help no GPU that we know.
_MOST = 8
#: Batches that lie ready for each process: 4 for training, and for validation, which has twice the
#: processes and batches of twice the size, 2 of each.
_BATCHES = 4 + 2 * 2 * 2
_LARGE_BATCH = 64
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  the system's own


def choose_loaders(wanted: int, *, device: str, batch: int, imgsz: int) -> int:
    """Return how many processes are to load pictures; 0 is the trainer itself.

    Args:
        wanted: a number, or AUTOMATIC.
        device: as the library names it. Beside a CPU they would only take its time away.
        batch: pictures in a batch; not positive where the library is to choose it.
        imgsz: side of a picture in pixels.
    """
    if wanted != AUTOMATIC:
        return wanted
    if device == "cpu":
        return 0
    size = 3 * imgsz**2 * (batch if batch > 0 else _LARGE_BATCH)
    # A container often has little of it, and a loader that runs out of it ends the training.
    free = shutil.disk_usage(_SHARED_MEMORY).free if _SHARED_MEMORY.is_dir() else 0
    return min(_MOST, processors(), free // (_BATCHES * size))
