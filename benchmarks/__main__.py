"""All benchmarks one after the other, each in its own process; exit status 1 if one missed."""

import subprocess
import sys

from benchmarks.figures import record_of, recorded
from samples.table import render_table

_ALL = (
    "up",
    "start",
    "detect",
    "web",
    "overhead",
    "time_left",
    "import_zip",
    "import_custom_vision",
    "gallery",
    "kill",
    "demo",
    "photos",
    "gpu",
    "live",
)
_HEADER = ("benchmark", "", "measured", "target", "")
Row = tuple[str, ...]


def main() -> int:
    """Run them and print all figures in one table."""
    rows: list[Row] = []
    is_met = True
    for name in _ALL:
        print(f"\n== bench-{name}", flush=True)
        found, is_well = _run(name)
        rows += found
        is_met = is_met and is_well
    print("\n" + render_table(_HEADER, rows), flush=True)
    return int(not is_met)


def _run(name: str) -> tuple[list[Row], bool]:
    """Run one; return its figures and whether all its targets are met."""
    before = _written_at(name)
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)
    if _written_at(name) == before:  # figures of another time must not look like today's
        return [(name, "did not finish", "", "", "MISSED")], False
    return [(name, *row) for row in recorded(name)], done.returncode == 0


def _written_at(name: str) -> int:
    record = record_of(name)
    return record.stat().st_mtime_ns if record.is_file() else 0


if __name__ == "__main__":
    sys.exit(main())
