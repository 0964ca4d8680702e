"""What Linux offers to leave no process behind: tied lives, adopted orphans, the process table."""

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Loaded before any fork: the child may only make system calls.
_libc = ctypes.CDLL(None)
_has_prctl = hasattr(_libc, "prctl")


def adopt_orphans() -> None:
    """Have descendants that lose their parent handed to us, not to process 1."""
    if _has_prctl:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """In a fresh child: be killed when the process `parent` dies, however that happens."""
    if _has_prctl:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    os.umask(0o077)


def children() -> dict[int, str]:
    """Return our direct children and their state (`Z` is a zombie)."""
    own, found = str(os.getpid()), {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in parentheses may hold anything; what follows it does not.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if parent == own:
                    found[int(entry.name)] = state
    return found


def reap(pid: int) -> None:
    """Collect a dead child that nobody waits for."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_session(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to the process group of a child that leads its own session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
