"""The name by which a worker process is known in the rows that it holds."""

import os
import secrets
import socket

_token = secrets.token_hex(3)


def worker_name() -> str:
    """Return host, process id of the RQ worker and a token: never the same twice.

    A forked child has the name of its worker (`CVTRAINER_WORKER`), so that the worker can say which
    rows its dead child held.
    """
    return os.environ.get("CVTRAINER_WORKER") or f"{socket.gethostname()}.{os.getpid()}.{_token}"
