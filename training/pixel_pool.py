"""Makes pictures for the trainer in processes of their own; several threads may ask at once.

Decoders are large and pictures come from strangers: a picture that brings its process down costs
nothing else, and cv2 stays out of the supervisor.
"""

import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import Self

from training.pixels import Form

#: Length of the file, height and width of the picture, training size, form.
REQUEST = struct.Struct("<QIIIB")
#: Whether pixels were made, and how many bytes follow.
ANSWER = struct.Struct("<BQ")
_ROOT = Path(__file__).resolve().parent.parent
_COMMAND = (sys.executable, "-m", "training.pixel_worker")
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
#: How long one picture may take.
_SECONDS = 120.0
_LONGEST_ANSWER = 2 * 1024**3


class PictureFailed(Exception):
    """No pixels can be made of a picture."""


class PixelPool:
    """Some processes that each make the pixels of one picture at a time; end it with the block."""

    def __init__(self, processes: int, *, command: tuple[str, ...] = _COMMAND) -> None:
        """Set up a pool; a process starts with its first picture."""
        self._all = [_Process(command) for _ in range(processes)]
        self._idle: LifoQueue[_Process] = LifoQueue()
        for process in self._all:
            self._idle.put(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes; who still waits for pixels gets PictureFailed."""
        for process in self._all:
            process.close()

    def make(self, data: bytes, *, original: tuple[int, int], size: int, form: Form) -> bytes:
        """Return the pixels of a picture, waiting for an idle process.

        Args:
            data: the picture's file.
            original: its height and width.
            size: of the longer side, where that is longer.
            form: in which the pixels are wanted.

        Raises:
            PictureFailed: it cannot be decoded, or has another height and width.
        """
        process = self._idle.get()
        try:
            # It may have died of something else, as an administrator's kill: once more.
            answer = process.ask(data, original, size, form) or process.ask(
                data, original, size, form
            )
        finally:
            self._idle.put(process)
        if answer is None:
            raise PictureFailed
        return answer


class _Process:
    """One process; it is started anew after it went down."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stream: socket.socket | None = None
        self._is_closed = False

    def ask(self, data: bytes, original: tuple[int, int], size: int, form: Form) -> bytes | None:
        """Return the pixels; None where the process is gone, or has none to give."""
        stream = self._started()
        try:
            stream.sendall(REQUEST.pack(len(data), *original, size, form))
            stream.sendall(data)
            is_made, length = ANSWER.unpack(received(stream, ANSWER.size))
            if length > _LONGEST_ANSWER:
                raise EOFError
            answer = received(stream, length)
        except (EOFError, OSError):
            self._end()
            return None
        return bytes(answer) if is_made else None

    def close(self) -> None:
        """End the process for good, whatever it does."""
        self._is_closed = True
        self._end()

    def _started(self) -> socket.socket:
        with self._lock:
            if self._is_closed:
                raise PictureFailed
            if self._stream is None:
                self._child, self._stream = _start(self._command)
            return self._stream

    def _end(self) -> None:
        with self._lock:
            if self._child is None or self._stream is None:
                return
            self._child.kill()
            self._child.wait()
            self._stream.close()
            self._child = self._stream = None


def _start(command: tuple[str, ...]) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    ours, theirs = socket.socketpair()
    with theirs:
        child = subprocess.Popen(
            command,
            cwd=_ROOT,
            env={**kept, "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
        )
    ours.settimeout(_SECONDS)
    return child, ours


def received(stream: socket.socket, length: int) -> bytearray:
    """Return so many bytes from a socket.

    Raises:
        EOFError: the other end closed before.
        TimeoutError: it was silent for too long.
    """
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = stream.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return data
