"""Tells Docker whether the process of this container does its work; exit status 1 where not.

python scripts/healthcheck.py web|worker|reconcile
"""

import http.client
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cvtrainer_site import env
from cvtrainer_site.supervisor.address import reachable

#: It makes a pass every ten seconds.
_LONGEST_PASS_SECONDS = 60.0


def main() -> None:
    """Check what the first argument names."""
    checks = {
        "web": web_answers,
        "worker": worker_is_registered,
        "reconcile": reconciler_makes_passes,
    }
    sys.exit(not checks[sys.argv[1]]())


def web_answers() -> bool:
    """Tell whether the web process answers; a host name that it does not serve is an answer too."""
    host = reachable(env.env.str("CVTRAINER_HOST", default="127.0.0.1"))
    port = env.env.int("CVTRAINER_PORT", default=8000)
    connection = http.client.HTTPConnection(host, port, timeout=4)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < 500
    except OSError:
        return False


def worker_is_registered() -> bool:
    """Tell whether a worker of this container waits for work, or does some."""
    import redis

    prefix = f"rq:worker:{socket.gethostname()}."
    try:
        with redis.Redis.from_url(env.redis_url(), socket_timeout=4) as client:
            keys = [key.decode() for key in client.smembers("rq:workers")]
            return any(key.startswith(prefix) and client.exists(key) for key in keys)
    except redis.RedisError:
        return False


def reconciler_makes_passes() -> bool:
    """Tell whether the reconciler of this container has ended a pass lately."""
    try:
        age = time.time() - env.reconcile_beat().stat().st_mtime
    except OSError:
        return False
    return age < _LONGEST_PASS_SECONDS


if __name__ == "__main__":
    main()
