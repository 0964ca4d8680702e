"""The trainer's end of the connection: messages out, commands in, and death when it closes."""

import contextlib
import os
import queue
import socket
import stat
import struct
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.messages import Message, ProtocolError, Spec
from training.trainer_process import kill_group
from training.wire import LineReader, encode

_CHUNK = 65_536


class Link:
    """A connection to the supervisor; only the process that made it may speak.

    A thread listens: `stop` and `drain` set their events, `committed` is the last epoch that is
    stored, and when the connection closes, or the supervisor says what it should not, the whole
    process group is killed at once.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.set_inheritable(False)
        self._connection = connection
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._spec: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._has_spec = False
        self.stop_requested = threading.Event()
        self.drain_requested = threading.Event()
        self.committed = 0
        # A data loader that kept the connection open would hide the death of the trainer.
        os.register_at_fork(after_in_child=self._close_in_child)

    def listen(self) -> None:
        """Start to listen to the supervisor."""
        threading.Thread(target=self._listen, name="link", daemon=True).start()

    def receive_spec(self) -> Spec:
        """Wait for the first line.

        Raises:
            ProtocolError: it is not a spec.
        """
        return Spec.from_message(self._spec.get())

    def send(self, message: Mapping[str, Any]) -> None:
        """Say one message; blocks while the supervisor does not read."""
        if os.getpid() != self._pid:
            return
        line = encode(message)
        try:
            with self._lock:
                self._connection.sendall(line)
        except OSError:
            kill_group()

    def _listen(self) -> None:
        reader = LineReader()
        with contextlib.suppress(OSError, ProtocolError):
            while data := self._connection.recv(_CHUNK):
                for message in reader.feed(data):
                    self._take(message)
        kill_group()

    def _take(self, message: Message) -> None:
        if not self._has_spec:
            self._has_spec = True
            self._spec.put(message)
        elif message.get("type") == "stop":
            self.stop_requested.set()
        elif message.get("type") == "drain":
            self.drain_requested.set()
        elif message.get("type") == "committed" and isinstance(message.get("epoch"), int):
            self.committed = message["epoch"]
        else:
            raise ProtocolError(f"Not a command: {message.get('type')}")

    def _close_in_child(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._connection.detach())


def accept_one(path: Path) -> socket.socket:
    """Listen at a socket that appears only when it is ready, and take exactly one connection.

    Raises:
        PermissionError: others may enter the folder, or somebody else connected.
    """
    mode = path.parent.stat()
    if mode.st_uid != os.getuid() or stat.S_IMODE(mode.st_mode) & 0o077:
        raise PermissionError(f"{path.parent} is not private")
    hidden = path.with_name(f".{path.name}")
    hidden.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(hidden))
        listener.listen(1)
        hidden.rename(path)
        connection, _address = listener.accept()
        path.unlink(missing_ok=True)
    _check_peer(connection)
    return connection


def _check_peer(connection: socket.socket) -> None:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", raw)
    if uid not in {os.getuid(), 0}:
        raise PermissionError(f"user {uid} may not start trainings")
