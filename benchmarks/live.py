"""bench-live: 1,000 people watch 10 trainings, each of which writes 10 log lines a second.

Each training also writes 400 lines at once every 20 seconds, another one every two. Lines are
written one by one through `jobs.transitions.append`, as a supervisor writes; people are signed in,
each as another user, and their sockets speak to the web process as `manage.py up` starts it. Each
training also says each second how far it is, and commits an epoch every ten seconds. All of it
shares the machine.

1. Every line at every viewer, none twice; 99 % of them within a second of being written.
2. The web process is killed with SIGKILL every 5 seconds: nothing missing, nothing twice.
3. A fifth of the people read 200 bytes a second: the memory of the web process stays bounded,
   and in the end they have everything too.
4. They ask for what the page of a run asks for (`benchmarks.live_pages`), and all runs end at once.

LIVE_PEOPLE, LIVE_RUNS, LIVE_SECONDS, LIVE_KILL_SECONDS, LIVE_SLOW_SECONDS and LIVE_PAGE_SECONDS
change the size.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import live_pages
from benchmarks.figures import Figure, at_most, note, run
from benchmarks.live_stage import (
    LATENCY_SECONDS,
    MB,
    PEOPLE,
    RUNS,
    Stage,
    Viewers,
    cpu_seconds,
    last_of,
    let_talk,
    newest_seen,
    none_missing,
    quantile,
    run_program,
    start_writer,
)
from benchmarks.portal import ROOT, free_port, portal

SECONDS = float(os.environ.get("LIVE_SECONDS", "60"))
KILL_SECONDS = float(os.environ.get("LIVE_KILL_SECONDS", "180"))
SLOW_SECONDS = float(os.environ.get("LIVE_SLOW_SECONDS", "40"))
_LIFE, _SLOW_BYTES = 5.0, 200
_GROWTH_MB = 100.0
_COMMAND = (
    "import json; from cvtrainer_site.supervisor import plan; print(json.dumps(plan.web().command))"
)


def measure() -> list[Figure]:
    """Watch in peace, under kills, among slow readers, and as pages do."""
    with portal(CVTRAINER_LEASE_SECONDS="7200") as running:
        stage = Stage(running, **run_program(running, "fill", RUNS, PEOPLE))
        phases = (_in_peace, _under_kills, _among_slow_readers, live_pages.measure)
        return [figure for phase in phases for figure in phase(stage)]


def _in_peace(stage: Stage) -> list[Figure]:
    web = stage.web()
    at_rest = web.memory_info().rss
    with Viewers(stage.portal, stage.port, stage.people) as viewers:
        viewers.wait_open(len(stage.people))
        note(f"{PEOPLE} people watch {RUNS} runs for {SECONDS:g} s")
        connected, busy = web.memory_info().rss, cpu_seconds(web)
        before = viewers.ask()
        last, most = let_talk(stage, web, SECONDS)
        seen = viewers.ask(last)
        used = cpu_seconds(web) - busy
    lines = seen["lines"] - before["lines"]
    delays = seen["delays"] - before["delays"]
    return [
        Figure("lines delivered", f"{lines:,}"),
        none_missing("lines missing or twice", seen, last),
        Figure("from written to seen, median", f"{quantile(delays, 0.5):.2f} s"),
        at_most("from written to seen, 99 %", quantile(delays, 0.99), LATENCY_SECONDS, "s"),
        Figure("from written to seen, slowest", f"{quantile(delays, 1):.2f} s"),
        Figure("web process, for 1,000 lines", f"{1e6 * used / lines:.1f} ms of one core"),
        Figure("web process at rest", f"{at_rest / MB:.0f} MB"),
        Figure(f"web process with {PEOPLE} sockets", f"{connected / MB:.0f} MB"),
        at_most("web process grows meanwhile", (most - connected) / MB, _GROWTH_MB, "MB", 0),
    ]


def _under_kills(stage: Stage) -> list[Figure]:
    port = free_port()
    command = _web_command(stage, port)
    kills, web = 0, _start_web(stage, command)
    try:
        with Viewers(stage.portal, port, stage.people) as viewers:
            viewers.wait_open(len(stage.people))
            note(f"the web process is killed every {_LIFE:g} s for {KILL_SECONDS:g} s")
            writer = start_writer(stage, KILL_SECONDS)
            while writer.poll() is None:
                with _quiet(subprocess.TimeoutExpired):
                    writer.wait(_LIFE)
                web.kill()
                web.wait()
                kills, web = kills + 1, _start_web(stage, command)
            last = last_of(writer)
            ended = time.monotonic()
            seen = viewers.ask(last)
            caught_up = time.monotonic() - ended
    finally:
        web.kill()
        web.wait()
    return [
        Figure("kills of the web process", str(kills)),
        Figure("connections made", str(seen["connects"])),
        none_missing("lines missing or twice under kills", seen, last),
        Figure("after the last kill, all have all after", f"{caught_up:.0f} s"),
    ]


def _among_slow_readers(stage: Stage) -> list[Figure]:
    web, people = stage.web(), stage.people
    slow, fast = people[::5], [one for number, one in enumerate(people) if number % 5]
    port = stage.port
    with (
        Viewers(stage.portal, port, fast) as quick,
        Viewers(stage.portal, port, slow, slow=_SLOW_BYTES) as lazy,
    ):
        quick.wait_open(len(fast))
        lazy.wait_open(len(slow))
        quick.ask(newest_seen(quick, fast))
        note(f"{len(slow)} of them read {_SLOW_BYTES} bytes a second")
        before, base = quick.ask(), web.memory_info().rss
        last, most = let_talk(stage, web, SLOW_SECONDS)
        seen = quick.ask(last)
        behind = lazy.ask()
        note("they hurry up")
        lazy.say({"slow": 0})
        caught_up = lazy.ask(last)
    delays = seen["delays"] - before["delays"]
    missing = sum(last[run] - seq for run, seq in behind["last"])
    return [
        Figure(f"lines that {len(slow)} slow readers are behind", f"{missing:,}"),
        at_most("web process grows by slow readers", (most - base) / MB, _GROWTH_MB, "MB", 0),
        at_most("the others, 99 %", quantile(delays, 0.99), LATENCY_SECONDS, "s"),
        none_missing("lines missing or twice at slow readers", caught_up, last),
    ]


def _web_command(stage: Stage, port: int) -> list[str]:
    """Return the command with which `manage.py up` starts its web process, for another port."""
    told = stage.portal.manage("shell", "--no-imports", "-c", _COMMAND)
    command: list[str] = json.loads(told)
    command[command.index("--port") + 1] = str(port)
    return command


def _start_web(stage: Stage, command: list[str]) -> "subprocess.Popen[bytes]":
    quiet = {"PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(command, cwd=ROOT, env={**stage.portal.environment, **quiet})


@contextmanager
def _quiet(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind:
        return


if __name__ == "__main__":
    sys.exit(run("live", measure))
