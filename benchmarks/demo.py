"""bench-demo: the whole main job from nothing, as `make demo` does it once all is set up.

`python -m samples.demo` with DEMO_EXIT=1 on an empty home: it starts the portal, imports, trains,
evaluates, detects, and ends. Targets: within 360 s, mAP50 of at least 0.6 on the validation set.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, at_least, at_most, read_table, run
from benchmarks.portal import PASSWORD, ROOT, free_port
from samples.demo_settings import GOOD_MAP50

_TARGET = 360.0
#: Beyond this it hangs; more than the target, so that one that is slow gets its figure.
_LIMIT = 900.0


def measure() -> list[Figure]:
    """Run the demo to its end and read its table."""
    with tempfile.TemporaryDirectory(prefix="cvt-demo-") as home:
        began = time.monotonic()
        said = _demo(Path(home))
        seconds = time.monotonic() - began
    return figures_of(said, seconds)


def figures_of(said: str, seconds: float) -> list[Figure]:
    """Judge a demo by what it printed and how long it took, the portal's start and end included."""
    *steps, _total = read_table(said[said.index("\nstep ") :], columns=3)
    results = {name: result for name, _, result in steps}
    map50 = re.search(r"mAP50 ([\d.]+)", results["evaluate"])
    if map50 is None:
        raise SystemExit(f"The demo evaluated nothing: {results}")
    return [
        at_most("the whole demo, on an empty home", seconds, _TARGET, "s", 0),
        at_least("mAP50 of its model", float(map50[1]), GOOD_MAP50, digits=3),
        Figure("things found, of all there are", results["detect on unseen pictures"]),
        *(Figure(f"step: {name}", time_taken) for name, time_taken, _ in steps),
    ]


def _demo(home: Path) -> str:
    """Run it; return what it printed. A failed one ends the benchmark with its last words."""
    environment = {
        **os.environ,
        "CVTRAINER_HOME": str(home),
        "CVTRAINER_PORT": str(free_port()),
        "CVTRAINER_ADMIN_PASSWORD": PASSWORD,
        "DEMO_EXIT": "1",
    }
    command = [sys.executable, "-m", "samples.demo"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    if "\nstep " not in done.stdout:
        raise SystemExit(f"The demo did not come to its table:\n{done.stdout[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(run("demo", measure))
