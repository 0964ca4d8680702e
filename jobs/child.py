"""The child that a worker forks for a job: tied to its life, in a process group of its own."""

import ctypes
import logging
import os
import random
import signal
from collections.abc import Callable
from typing import NoReturn

from jobs.identity import leave

log = logging.getLogger(__name__)

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask Linux to kill this process when the thread that started it dies; elsewhere do nothing."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    except (OSError, AttributeError):
        log.warning("This system cannot tie a process to its parent's life")


def be_child(task: Callable[[], None], *, parent: int, name: str) -> NoReturn:
    """Do the task as the child; called with the stop signals blocked, which it unblocks."""
    status = 1
    try:
        os.setpgid(0, 0)
        die_with_parent()
        if os.getppid() == parent:
            os.environ["CVTRAINER_WORKER"] = name
            random.seed()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, lambda *_: leave())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            task()
            status = 0
    except BaseException:
        log.exception("A task failed outside its job")
    finally:
        logging.shutdown()
        os._exit(status)
