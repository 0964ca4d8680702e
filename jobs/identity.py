"""The worker process: its name in the rows that it holds, and whether it is told to leave."""

import os
import secrets
import socket
import threading

_token = secrets.token_hex(3)
#: Set by SIGTERM: work goes back to the queue, nothing new begins. Poll it, do not wait for it:
#: the signal's handler sets it.
leaving = threading.Event()
#: Set where the work at hand goes back to the queue: the worker leaves, or is drained at once.
giving_back = threading.Event()


def leave() -> None:
    """Have the work at hand go back to the queue, and nothing new begin: for a signal's handler."""
    leaving.set()
    giving_back.set()


def worker_name() -> str:
    """Return host, process id of the RQ worker and a token: never the same twice.

    A forked child has the name of its worker (`CVTRAINER_WORKER`), so that the worker can say which
    rows its dead child held.
    """
    return os.environ.get("CVTRAINER_WORKER") or f"{socket.gethostname()}.{os.getpid()}.{_token}"
