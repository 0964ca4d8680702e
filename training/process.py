"""The trainer as a process: started cold or taken warm, talked to, and taken down for certain."""

import contextlib
import logging
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from training.messages import Message, ProtocolError, Spec
from training.wire import LineReader, encode

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
#: All that a trainer sees of the environment: no database, no Redis, no storage, no keys.
_ENVIRONMENT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_HOME",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
)
_START_SECONDS = 180.0
_KERNEL_COUNTERS = Path("/proc/vmstat")
#: A trainer dies within moments of what the kernel killed for memory, itself or a loader of it.
_LATELY_SECONDS = 30.0
#: How long a killed process is waited for.
_DIES_SECONDS = 10.0
#: A trainer that talks faster than the database writes waits at its socket, not in our memory.
_QUEUE_LENGTH = 1000


class TrainerGone(Exception):
    """The connection closed without a last word: the trainer was interrupted."""


def trainer_environment(config_dir: Path) -> dict[str, str]:
    """Return the environment of a trainer."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    folder = str(config_dir)
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": folder,
        "TMPDIR": folder,
        "YOLO_CONFIG_DIR": folder,
    }


def spawn(
    arguments: list[str], *, config_dir: Path, fd: int | None = None
) -> "subprocess.Popen[bytes]":
    """Start `python -m training.trainer` in a session of its own."""
    config_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return subprocess.Popen(
        [sys.executable, "-m", "training.trainer", "--parent", str(os.getpid()), *arguments],
        env=trainer_environment(config_dir),
        cwd=config_dir,
        stdin=subprocess.DEVNULL,
        pass_fds=() if fd is None else (fd,),
        start_new_session=True,
    )


class TrainerProcess:
    """One trainer that works on one spec; a context manager that leaves no process behind."""

    def __init__(
        self, connection: socket.socket, process: "subprocess.Popen[bytes] | None"
    ) -> None:
        self._connection = connection
        self._process = process
        self._pid = process.pid if process else _peer_pid(connection)
        self._messages: queue.Queue[Message | None] = queue.Queue(_QUEUE_LENGTH)
        self._closing = threading.Event()
        self._memory_kills = self._lately = memory_kills()
        self._counted_at = time.monotonic()
        self._reader = threading.Thread(target=self._read, name="trainer-reader", daemon=True)
        self._reader.start()

    @classmethod
    def cold(cls, *, config_dir: Path) -> Self:
        """Start a trainer now; it loads its libraries first (seconds)."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = spawn(
                ["--connect", str(theirs.fileno())], config_dir=config_dir, fd=theirs.fileno()
            )
        return cls(ours, process)

    @classmethod
    def warm(cls, path: Path) -> Self | None:
        """Take the spare trainer that listens at a socket, or None where there is none."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            return None
        return cls(connection, None)

    @property
    def may_have_been_killed_for_memory(self) -> bool:
        """Whether the kernel has killed for memory on this host within the last seconds.

        What it killed hours ago was another program.
        """
        return memory_kills() > self._memory_kills

    @property
    def pid(self) -> int:
        """The trainer's process id, which is that of its session too."""
        return self._pid

    def send(self, message: Message) -> None:
        """Say something; a trainer that is gone shows when it is listened to."""
        with contextlib.suppress(OSError):
            self._connection.sendall(encode(message))

    def start(self, spec: Spec) -> None:
        """Give the trainer its work."""
        self.send(spec.as_message())

    def receive(self, seconds: float) -> Message | None:
        """Return the next message, or None after so many seconds of silence.

        Raises:
            TrainerGone: it will say nothing more.
        """
        self._count_memory_kills()
        try:
            message = self._messages.get(timeout=seconds)
        except queue.Empty:
            return None
        if message is None:
            raise TrainerGone
        return message

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
        """Take the trainer down with everything that it started."""
        self._closing.set()
        if self._pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
        # Whatever is left of it ends itself when this closes.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        if self._process:
            _wait_a_while(self._process)

    def _count_memory_kills(self) -> None:
        """Forget what was killed for memory longer ago than `_LATELY_SECONDS`, or twice as long."""
        if time.monotonic() - self._counted_at < _LATELY_SECONDS:
            return
        self._memory_kills, self._lately = self._lately, memory_kills()
        self._counted_at = time.monotonic()

    def _read(self) -> None:
        reader = LineReader()
        try:
            while data := self._connection.recv(65_536):
                for message in reader.feed(data):
                    self._put(message)
        except (OSError, ProtocolError) as error:
            log.warning("The trainer's connection broke: %s", error)
        self._put(None)

    def _put(self, message: Message | None) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._messages.put(message, timeout=0.5)
                return


def memory_kills() -> int:
    """Return how often the kernel of this host has killed a process because memory ran out."""
    try:
        lines = _KERNEL_COUNTERS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _peer_pid(connection: socket.socket) -> int:
    """Return the process at the other end as the kernel knows it, not as it says."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, _, _ = struct.unpack("3i", raw)
    return int(pid)


class Spare:
    """Keeps one trainer with its libraries loaded, so that the next run starts at once."""

    #: How a forked supervisor learns where its worker's spare listens.
    VARIABLE = "CVTRAINER_SPARE"

    def __init__(self, *, sockets: Path, config_dir: Path) -> None:
        self._sockets = sockets
        self._config_dir = config_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    def ensure(self) -> None:
        """Start a spare where there is none."""
        if self._process is not None and self._process.poll() is None:
            return
        self._count += 1
        self._sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._sockets / f"trainer-{os.getpid()}-{self._count % 1000}.sock"
        self._process = spawn(["--listen", str(path)], config_dir=self._config_dir)
        os.environ[self.VARIABLE] = f"{self._process.pid} {path}"

    def used(self) -> None:
        """Forget the spare that a run took; end it if nobody did."""
        os.environ.pop(self.VARIABLE, None)
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        _wait_a_while(self._process)
        self._process = None

    @classmethod
    def take(cls) -> TrainerProcess | None:
        """Connect to the worker's spare from its forked supervisor; wait while it still loads."""
        pid, _, path = os.environ.get(cls.VARIABLE, "").partition(" ")
        deadline = time.monotonic() + _START_SECONDS
        while path and time.monotonic() < deadline:
            if trainer := TrainerProcess.warm(Path(path)):
                return trainer
            if not _runs(pid):
                break
            time.sleep(0.02)
        return None


def _wait_a_while(killed: "subprocess.Popen[bytes]") -> None:
    """Wait for a killed process, but not for ever: what hangs in a driver does not even die."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        killed.wait(_DIES_SECONDS)


def _runs(pid: str) -> bool:
    """Whether a process is alive; one that has ended but was not waited for is not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def open_trainer(*, config_dir: Path) -> TrainerProcess:
    """Return the warm spare of this worker, or else a cold trainer."""
    return Spare.take() or TrainerProcess.cold(config_dir=config_dir)
