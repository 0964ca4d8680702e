"""Tells Docker whether the process of this container does its work; exit status 1 where not.

python scripts/healthcheck.py web|worker
"""

import http.client
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cvtrainer_site import env
from cvtrainer_site.supervisor.address import reachable


def main() -> None:
    """Check what the first argument names."""
    is_well = {"web": web_answers, "worker": worker_is_registered}[sys.argv[1]]
    sys.exit(not is_well())


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


if __name__ == "__main__":
    main()
