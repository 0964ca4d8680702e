"""bench-up: from `make up` to a portal that is ready: on an empty home, and for the second time.

`make` with its look at what is set up, `manage.py up`, every worker waiting for work. Target: the
second start within 15 s (median of three).
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, at_most, note, run
from benchmarks.portal import PASSWORD, ROOT, free_port

_TARGET = 15.0
_ROUNDS = 3
_READY = "CVTrainer is ready"


def measure() -> list[Figure]:
    """Start it on an empty home, then again and again."""
    with tempfile.TemporaryDirectory(prefix="cvt-up-") as name:
        note("the first start")
        first = _start(Path(name))
        note("and again")
        again = [_start(Path(name)) for _ in range(_ROUNDS)]
    what = f"`make up` again, median of {_ROUNDS} (worst {max(again):.1f} s)"
    return [
        Figure("`make up` on an empty home, all set up", f"{first:.1f} s"),
        at_most(what, statistics.median(again), _TARGET, "s", 1),
    ]


def _start(home: Path) -> float:
    """Start the portal, end it as Ctrl-C does; return the seconds until it was ready."""
    environment = {
        **os.environ,
        "CVTRAINER_HOME": str(home),
        "CVTRAINER_PORT": str(free_port()),
        "CVTRAINER_ADMIN_PASSWORD": PASSWORD,
    }
    began = time.monotonic()
    process = subprocess.Popen(
        ["make", "up"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        if not any(line.startswith(_READY) for line in process.stdout):
            raise SystemExit("`make up` of the benchmark did not become ready.")
        return time.monotonic() - began
    finally:
        # A terminal sends it to everybody in the group.
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        time.sleep(1)  # the machine is at rest again


if __name__ == "__main__":
    sys.exit(run("up", measure))
