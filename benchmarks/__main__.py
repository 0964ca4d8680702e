"""All benchmarks one after the other, each in its own process; exit status 1 if one missed."""

import subprocess
import sys

from samples.table import render_table

_ALL = ("start", "detect", "web", "overhead")


def main() -> int:
    """Run them and print one line for each."""
    rows = []
    for name in _ALL:
        print(f"\n== bench-{name}", flush=True)
        status = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], check=False
        ).returncode
        rows.append((f"bench-{name}", "met" if status == 0 else "MISSED"))
    print("\n" + render_table(("benchmark", "targets"), rows))
    return int(any(row[1] != "met" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
