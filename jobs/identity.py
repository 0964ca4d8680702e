"""The worker process: its name in the rows that it holds, and whether it is told to leave."""

import contextlib
import hashlib
import os
import secrets
import socket
import threading
from pathlib import Path

_SPACE_LETTERS = 8
#: Set by SIGTERM: work goes back to the queue, nothing new begins. Poll it, do not wait for it:
#: the signal's handler sets it.
leaving = threading.Event()
#: Set where the work at hand goes back to the queue: the worker leaves, or is drained at once.
giving_back = threading.Event()


def leave() -> None:
    """Have the work at hand go back to the queue, and nothing new begin: for a signal's handler."""
    leaving.set()
    giving_back.set()


def machine() -> str:
    """Return a mark of this machine since its last start; containers on it have the same.

    Where the system does not tell, its name.
    """
    return _boot() or socket.gethostname()


def _boot() -> str:
    """Return what the system calls its last start; empty where it does not tell."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _space() -> str:
    """Return a mark of the processes among which a process id says which one: this boot's.

    Hosts of the same name, and containers with the host's name, have other ones. Empty where the
    system does not tell.
    """
    with contextlib.suppress(OSError):
        if boot := _boot():
            found = f"{boot} {Path('/proc/self/ns/pid').readlink()}"
            return hashlib.sha256(found.encode()).hexdigest()[:_SPACE_LETTERS]
    return ""


_our_space = _space()
_token = f"{_our_space}{secrets.token_hex(3)}"


def worker_name() -> str:
    """Return host, process id of the RQ worker and a token: never the same twice.

    A forked child has the name of its worker (`CVTRAINER_WORKER`), so that the worker can say which
    rows its dead child held.
    """
    return os.environ.get("CVTRAINER_WORKER") or f"{socket.gethostname()}.{os.getpid()}.{_token}"


def is_dead(worker: str) -> bool:
    """Tell whether a worker was a process beside us that does not run any more.

    False also where nobody here can say: another host's, one before the machine's last start, one
    whose process id somebody else has by now.
    """
    try:
        host, pid, token = worker.rsplit(".", 2)
        number = int(pid)
    except ValueError:
        return False
    if not _our_space or (host, token[:_SPACE_LETTERS]) != (socket.gethostname(), _our_space):
        return False
    if number == os.getpid():
        return worker != worker_name()
    return not _runs(number)


def _runs(pid: int) -> bool:
    """Tell whether a process exists and is more than a zombie that nobody has collected."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    # The name in parentheses may hold anything; what follows it does not.
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
