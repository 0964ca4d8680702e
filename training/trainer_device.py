"""One training a GPU: whoever has it holds a lock that the kernel takes back when they die."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path


def hold_device(folder: Path, identity: str, on_wait: Callable[[int], None]) -> int:
    """Wait until nobody else holds a GPU, and hold it for as long as this process lives.

    Its forked children hold it too: what still has memory there is alive.

    Args:
        folder: where all trainers of this host keep their locks.
        identity: of the GPU, the same for every process.
        on_wait: told once a second how long it has waited.

    Returns:
        The file that holds the lock.
    """
    file = os.open(folder / f"device-{identity}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    waited = 0
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait(waited)
            time.sleep(1.0)
            waited += 1
        else:
            return file
