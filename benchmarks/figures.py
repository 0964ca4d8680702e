"""What a benchmark measured: one table for people, one file a benchmark as the record of it."""

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from samples.table import render_table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One measured thing.

    Attributes:
        what: in words, with its peer where there is one.
        value: with its unit.
        target: what it must be, empty where it only explains another.
        is_met: whether it is; None without a target.
    """

    what: str
    value: str
    target: str = ""
    is_met: bool | None = None


def at_most(what: str, value: float, limit: float, unit: str, digits: int = 2) -> Figure:
    """Return a figure that must not exceed a limit."""
    shown = f"{value:.{digits}f} {unit}".strip()
    return Figure(what, shown, f"<= {limit:g} {unit}".strip(), value <= limit)


def at_least(what: str, value: float, least: float, unit: str = "", digits: int = 2) -> Figure:
    """Return a figure that must not fall below a limit."""
    shown = f"{value:.{digits}f} {unit}".strip()
    return Figure(what, shown, f">= {least:g} {unit}".strip(), value >= least)


def idle_disk() -> None:
    """Wait until what was written before is on the disk: what is timed next does not pay for it."""
    os.sync()


def run(name: str, measure: Callable[[], Sequence[Figure]]) -> int:
    """Measure, print the table, record it, and return the exit status: 1 where a target is missed.

    What is recorded lies in `benchmarks/results/`; it is committed when the machine was quiet.
    """
    before = os.getloadavg()[0]
    began = time.monotonic()
    figures = list(measure())
    head = (
        f"bench-{name}, {time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {processor()}, "
        f"Python {platform.python_version()}, load before {before:.1f}, "
        f"{time.monotonic() - began:.0f} s in all"
    )
    rows = [(figure.what, figure.value, figure.target, verdict(figure)) for figure in figures]
    table = render_table(("", "measured", "target", ""), rows)
    text = f"{head}\n\n{table}\n"
    print(text, flush=True)
    RESULTS.mkdir(exist_ok=True)
    record_of(name).write_text(f"{text}\nmake bench-{name.replace('_', '-')}\n")
    return int(any(figure.is_met is False for figure in figures))


def record_of(name: str) -> Path:
    """Return where the figures of a benchmark are kept."""
    return RESULTS / f"{name}.txt"


def recorded(name: str) -> list[tuple[str, ...]]:
    """Return what a benchmark recorded: rows of what, measured, target and verdict."""
    return read_table(record_of(name).read_text(encoding="utf-8"), columns=4)


def read_table(text: str, *, columns: int) -> list[tuple[str, ...]]:
    """Return the rows of the first table in a text, as `render_table` has written it."""
    lines = text.splitlines()
    ruler = next(index for index, line in enumerate(lines) if line.startswith("---"))
    # The line below the header shows where each column is; one that is all empty is not there.
    spans = [column.span() for column in re.finditer("-+", lines[ruler])]
    spans += [(len(lines[ruler]), None)] * (columns - len(spans))
    rows = takewhile(bool, lines[ruler + 1 :])
    return [tuple(row[begin:end].strip() for begin, end in spans) for row in rows]


def verdict(figure: Figure) -> str:
    """Return one word on a figure."""
    return {None: "", True: "met", False: "MISSED"}[figure.is_met]


def processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def note(text: str) -> None:
    """Say on standard error what is going on."""
    print(text, file=sys.stderr, flush=True)
