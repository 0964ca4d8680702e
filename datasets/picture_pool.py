"""Prepares many pictures in processes of their own: one bad picture costs only itself."""

import json
import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from datasets.picture_worker import HEAD, LENGTH
from datasets.pictures import PictureRefused, PreparedPicture

_ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "datasets.picture_worker")
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_CHUNK = 1024 * 1024
_SECONDS = 60.0
#: Nothing that a worker sends is larger; one that says so has been taken over.
_LONGEST_HEAD = 4096
_LONGEST_PART = 1024**3
#: Shared memory that is kept for the next picture.
_KEPT_SHARED = 16 * 1024**2
#: What is handed through waits behind at most so many pictures and others.
_MOST_WAITING = 64

Key = TypeVar("Key")
Other = TypeVar("Other")
Result = PreparedPicture | PictureRefused


class PicturePool:
    """Some processes that prepare pictures; end it with the block.

    In memory are at most `processes` pictures and one result. Not safe for several threads.
    """

    def __init__(self, *, processes: int = 2, seconds: float = _SECONDS, nice: int = 0) -> None:
        """Set up a pool; processes start with the first pictures.

        Args:
            processes: how many pictures are prepared at once.
            seconds: how long one may take before it counts as crashed.
            nice: how far the processes stand back behind others; where nobody waits for a picture.
        """
        self._idle = deque(_Process(seconds, nice) for _ in range(processes))
        self._all = tuple(self._idle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._all:
            process.end()

    def prepare(
        self, pictures: Iterable[tuple[Key, bytes | Other]]
    ) -> Iterator[tuple[Key, Result | Other]]:
        """Yield each picture prepared, or why it is refused, in the order in which they come.

        Args:
            pictures: whatever the caller knows a picture by, and its bytes; taken one by one. What
                is no bytes needs no work: it is handed through in its turn.
        """
        busy: _Busy = deque()
        try:
            for key, data in pictures:
                is_new = isinstance(data, bytes)
                while busy and self._is_next_due(busy, is_new=is_new):
                    yield self._collect(busy)
                process = self._idle.popleft() if is_new else None
                busy.append((key, data, process))
                if process is not None:
                    process.send(cast("bytes", data))
            while busy:
                yield self._collect(busy)
        finally:
            # The caller left early: what these were asked for must not answer another question.
            for *_, process in busy:
                if process is not None:
                    process.end()
                    self._idle.append(process)

    def _is_next_due(self, busy: "_Busy", *, is_new: bool) -> bool:
        """Whether the first that waits has to be taken before another one may come."""
        *_, process = busy[0]
        return process is None or (is_new and not self._idle) or len(busy) >= _MOST_WAITING

    def _collect(self, busy: "_Busy") -> tuple[Any, Any]:
        key, data, process = busy[0]
        result = data
        if process is not None:
            try:
                result = process.receive(data)
            except _Crashed:
                # It may have died of something else, as an administrator's kill: once more.
                result = self._try_again(process, data)
            self._idle.append(process)
        busy.popleft()
        return key, result

    def _try_again(self, process: "_Process", data: bytes) -> Result:
        process.send(data)
        try:
            return process.receive(data)
        except _Crashed:
            return PictureRefused("picture_crashed")


class _Crashed(Exception):
    """The process is gone, or silent for too long, or does not keep to the form."""


class _Process:
    """One worker; it is started anew after it crashed."""

    def __init__(self, seconds: float, nice: int) -> None:
        self._seconds, self._nice = seconds, nice
        self._child: subprocess.Popen[bytes] | None = None
        self._shared = -1
        self._deadline = 0.0

    def send(self, data: bytes) -> None:
        """Give the worker a picture."""
        if self._child is None:
            self._shared = os.memfd_create("picture")
            self._child = _start(self._shared, self._nice)
        self._deadline = time.monotonic() + self._seconds
        self._share(data)
        # If the worker is gone, receive() finds out.
        with suppress(_Crashed, BrokenPipeError):
            self._write(LENGTH.pack(len(data)))

    def receive(self, data: bytes) -> Result:
        """Return what became of the picture.

        Args:
            data: the picture as it was sent; of most, all but the metadata is kept.

        Raises:
            _Crashed: nothing did; the next picture gets a new worker.
        """
        try:
            head = json.loads(self._read(self._length()))
            if "refused" in head:
                return PictureRefused(str(head["refused"]))
            content, thumbnail = (self._read(_checked(length)) for length in head.pop("lengths"))
            if kept := head.pop("kept"):
                content = _joined(content, data, *map(int, kept))
            return PreparedPicture(content=content, thumbnail=thumbnail, **_typed(head))
        except (_Crashed, ValueError, TypeError, KeyError) as error:
            self.end()
            raise _Crashed from error

    def _share(self, data: bytes) -> None:
        """Put a picture where the worker reads it: no pipe has to carry it."""
        if os.fstat(self._shared).st_size > _KEPT_SHARED:
            os.ftruncate(self._shared, 0)
        rest, at = memoryview(data), 0
        while rest:
            at += os.pwrite(self._shared, rest, at)
            rest = memoryview(data)[at:]

    def _length(self) -> int:
        length: int = HEAD.unpack(self._read(HEAD.size))[0]
        if length > _LONGEST_HEAD:
            raise _Crashed
        return length

    def _write(self, data: bytes) -> None:
        assert self._child and self._child.stdin
        pipe, rest = self._child.stdin.fileno(), memoryview(data)
        while rest:
            self._wait(pipe, select.POLLOUT)
            rest = rest[os.write(pipe, rest) :]

    def _read(self, length: int) -> bytes:
        assert self._child and self._child.stdout
        pipe, received = self._child.stdout.fileno(), bytearray()
        while len(received) < length:
            self._wait(pipe, select.POLLIN)
            chunk = os.read(pipe, min(_CHUNK, length - len(received)))
            if not chunk:
                raise _Crashed
            received += chunk
        return bytes(received)

    def _wait(self, pipe: int, event: int) -> None:
        left = self._deadline - time.monotonic()
        poll = select.poll()
        poll.register(pipe, event)
        if left <= 0 or not poll.poll(left * 1000):
            raise _Crashed

    def end(self) -> None:
        """Stop the worker at once."""
        if self._child is None:
            return
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe
            pipe.close()
        os.close(self._shared)
        self._child = None


#: What a picture is known by, its bytes or what is handed through, and who works on it.
_Busy = deque[tuple[Any, Any, _Process | None]]


def _start(shared: int, nice: int) -> "subprocess.Popen[bytes]":
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    child = subprocess.Popen(
        (*COMMAND, str(shared), str(nice)),
        cwd=_ROOT,
        pass_fds=(shared,),
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        pipesize=_CHUNK,
    )
    assert child.stdin
    os.set_blocking(child.stdin.fileno(), False)
    return child


def _checked(length: Any) -> int:
    if not isinstance(length, int) or not 0 <= length <= _LONGEST_PART:
        raise _Crashed
    return length


def _joined(start: bytes, data: bytes, at: int, end: int) -> bytes:
    """Return a picture from its start and what is kept of what came in: often that itself."""
    if at == len(start) and end == len(data) and data.startswith(start):
        return data
    return start + data[at:end]


def _typed(head: dict[str, Any]) -> dict[str, Any]:
    return {
        "suffix": str(head["suffix"]),
        "content_type": str(head["content_type"]),
        "width": int(head["width"]),
        "height": int(head["height"]),
        "orientation": int(head["orientation"]),
        "perceptual_hash": _signed(head["perceptual_hash"]),
        "notes": tuple(map(str, head["notes"])),
    }


def _signed(value: Any) -> int | None:
    """Return a number as it fits into the database's 64 bits."""
    if value is not None and not -(2**63) <= int(value) < 2**63:
        raise _Crashed
    return None if value is None else int(value)
