"""What a training takes of its machine: read every few seconds beside it, without torch.

Of a GPU the driver's own tool tells use, memory, temperature and power; of the processor, `/proc`.
All of it happens in a thread: a driver that hangs must not hold up the supervisor, and whatever
cannot be told is left out.
"""

import logging
import math
import os
import shutil
import statistics
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from training.processors import processors

log = logging.getLogger(__name__)

Reading = dict[str, float]

SECONDS = 3.0
_DRIVER_SECONDS = 10.0
#: What `nvidia-smi` calls what, and under which name it is kept.
_QUERY = {
    "utilization.gpu": "gpu_use",
    "memory.used": "gpu_memory_used_mb",
    "memory.total": "gpu_memory_total_mb",
    "temperature.gpu": "gpu_temperature",
    "power.draw": "gpu_power",
}
_MB = 1024 * 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Gauge:
    """Reads a trainer's machine in a thread of its own, from entering to leaving.

    Args:
        pid: the trainer, leader of its session: its loaders belong to it.
        seconds: between two readings.
    """

    def __init__(self, pid: int, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._processor = Processor(pid)
        self._gpu: str | None = None
        self._memory = threading.Lock()
        self._now: Reading = {}
        self._since: dict[str, list[float]] = defaultdict(list)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gauge", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    def watch_gpu(self) -> None:
        """Read the GPU too: the trainer works on one."""
        self._gpu = first_gpu()

    @property
    def now(self) -> Reading:
        """The newest reading."""
        with self._memory:
            return dict(self._now)

    def means(self) -> Reading:
        """Return the means since the last call; the newest reading where there was none."""
        with self._memory:
            means = {name: statistics.fmean(found) for name, found in self._since.items()}
            self._since.clear()
            return {name: round(value, 1) for name, value in (means or self._now).items()}

    def _run(self) -> None:
        while not self._is_over.wait(self._seconds):
            try:
                reading = {**self._processor.read(), **(read_gpu(self._gpu) if self._gpu else {})}
            except Exception:
                log.exception("A reading failed")
                continue
            with self._memory:
                self._now = reading
                for name, value in reading.items():
                    self._since[name].append(value)


class Processor:
    """The share of all cores, and the memory, that the processes of one session take."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._cores = processors()
        self._used: dict[int, int] = {}
        self._at = time.monotonic()

    def read(self) -> Reading:
        """Return `cpu_use` in percent since the last call, and `memory_mb`."""
        used, memory = {}, 0
        for pid, ticks, pages in _processes(self._session):
            used[pid] = ticks
            memory += _proportional(pid) or pages * _PAGE
        now, before = time.monotonic(), self._at
        spent = sum(ticks - self._used.get(pid, 0) for pid, ticks in used.items())
        is_first = not self._used
        self._used, self._at = used, now
        if not used:
            return {}
        reading = {"memory_mb": round(memory / _MB, 1)}
        if not is_first and now > before:
            share = spent / _TICKS / (now - before) / self._cores
            reading["cpu_use"] = round(min(100 * share, 100.0), 1)
        return reading


def first_gpu() -> str | None:
    """Return the GPU that CUDA takes first, as `nvidia-smi` names it; None where there is none."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    first = "0" if chosen is None else chosen.split(",")[0].strip()
    return first or None


def read_gpu(name: str) -> Reading:
    """Ask the driver about a GPU (its number or UUID); what it does not tell is left out."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    query = f"--query-gpu={','.join(_QUERY)}"
    command = [program, query, "--format=csv,noheader,nounits", f"--id={name}"]
    try:
        told = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DRIVER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.info("The driver does not answer: %s", error)
        return {}
    values = told.stdout.splitlines()[0].split(",") if told.stdout.strip() else []
    if told.returncode or len(values) != len(_QUERY):
        return {}
    read = zip(_QUERY.values(), map(_number, values), strict=True)
    return {kept: value for kept, value in read if value is not None}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:  # "[N/A]": a card without a sensor for it
        return None
    return value if math.isfinite(value) else None


def _processes(session: int) -> Iterator[tuple[int, int, int]]:
    """Yield process id, ticks of work and resident pages of each process of a session."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            text = Path(entry.path, "stat").read_text(encoding="ascii", errors="replace")
        except OSError:  # it has just ended
            continue
        # The name, in brackets, may hold anything; the fields behind it are numbers.
        fields = text.rpartition(")")[2].split()
        if int(fields[3]) == session:
            yield int(entry.name), int(fields[11]) + int(fields[12]), int(fields[21])


def _proportional(pid: int) -> int:
    """Return the bytes that a process takes, of what it shares with others its part; 0: unknown."""
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open(encoding="ascii") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line[:4] == "Pss:"), 0)
    except (OSError, ValueError):
        return 0
