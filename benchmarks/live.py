"""bench-live: 1,000 people watch 10 trainings, each of which writes 10 log lines a second.

Each training also writes 400 lines at once every 20 seconds, another one every two. Lines are
written one by one through `jobs.transitions.append`, as a supervisor writes; people are signed in,
each as another user, and their sockets speak to the web process as `manage.py up` starts it. All of
it shares the machine.

1. Every line at every viewer, none twice; 99 % of them within a second of being written.
2. The web process is killed with SIGKILL every 5 seconds: nothing missing, nothing twice.
3. A fifth of the people read 200 bytes a second: the memory of the web process stays bounded,
   and in the end they have everything too.

LIVE_PEOPLE, LIVE_RUNS, LIVE_SECONDS, LIVE_KILL_SECONDS and LIVE_SLOW_SECONDS change the size.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.figures import Figure, at_most, note, run
from benchmarks.portal import ROOT, Portal, free_port, portal

PEOPLE = int(os.environ.get("LIVE_PEOPLE", "1000"))
RUNS = int(os.environ.get("LIVE_RUNS", "10"))
SECONDS = float(os.environ.get("LIVE_SECONDS", "60"))
KILL_SECONDS = float(os.environ.get("LIVE_KILL_SECONDS", "180"))
SLOW_SECONDS = float(os.environ.get("LIVE_SLOW_SECONDS", "40"))
_RATE, _BURST_EVERY = 10, 20.0
_LIFE, _SLOW_BYTES = 5.0, 200
_LATENCY_SECONDS, _GROWTH_MB = 1.0, 100.0
_MB = 1024 * 1024
_COMMAND = (
    "import json; from cvtrainer_site.supervisor import plan; print(json.dumps(plan.web().command))"
)


def measure() -> list[Figure]:
    """Watch in peace, under kills, and among slow readers."""
    with portal(CVTRAINER_LEASE_SECONDS="7200") as running:
        stage = Stage(running, **_program(running, "fill", RUNS, PEOPLE))
        return [*_in_peace(stage), *_under_kills(stage), *_among_slow_readers(stage)]


@dataclass
class Stage:
    """The portal, its runs, and the sessions of those who watch them."""

    portal: Portal
    runs: list[str]
    sessions: list[str]

    @property
    def people(self) -> list[tuple[str, str]]:
        """Who watches what: everybody one run, the runs in turns."""
        return [
            (self.runs[number % len(self.runs)], session)
            for number, session in enumerate(self.sessions)
        ]

    def web(self) -> psutil.Process:
        """Return the web process of `manage.py up`."""
        return psutil.Process(self.portal.pids("uvicorn")[0])


def _in_peace(stage: Stage) -> list[Figure]:
    web = stage.web()
    at_rest = web.memory_info().rss
    with Viewers(stage.portal, _port_of(stage.portal), stage.people) as viewers:
        viewers.wait_open(len(stage.people))
        note(f"{PEOPLE} people watch {RUNS} runs for {SECONDS:g} s")
        connected, busy = web.memory_info().rss, _busy(web)
        before = viewers.ask()
        last, most = _tell(stage, web, SECONDS)
        seen = viewers.ask(last)
        used = _busy(web) - busy
    lines = seen["lines"] - before["lines"]
    delays = Counter(seen["delays"]) - Counter(before["delays"])
    return [
        Figure("lines delivered", f"{lines:,}"),
        _complete("lines missing or twice", seen, last),
        Figure("from written to seen, median", f"{_quantile(delays, 0.5):.2f} s"),
        at_most("from written to seen, 99 %", _quantile(delays, 0.99), _LATENCY_SECONDS, "s"),
        Figure("from written to seen, slowest", f"{_quantile(delays, 1):.2f} s"),
        Figure("web process, for 1,000 lines", f"{1e6 * used / lines:.1f} ms of one core"),
        Figure("web process at rest", f"{at_rest / _MB:.0f} MB"),
        Figure(f"web process with {PEOPLE} sockets", f"{connected / _MB:.0f} MB"),
        at_most("web process grows meanwhile", (most - connected) / _MB, _GROWTH_MB, "MB", 0),
    ]


def _under_kills(stage: Stage) -> list[Figure]:
    port = free_port()
    command = _web_command(stage, port)
    kills, web = 0, _start_web(stage, command)
    try:
        with Viewers(stage.portal, port, stage.people) as viewers:
            viewers.wait_open(len(stage.people))
            note(f"the web process is killed every {_LIFE:g} s for {KILL_SECONDS:g} s")
            writer = _start_writer(stage, KILL_SECONDS)
            while writer.poll() is None:
                with _quiet(subprocess.TimeoutExpired):
                    writer.wait(_LIFE)
                web.kill()
                web.wait()
                kills, web = kills + 1, _start_web(stage, command)
            last = _last(writer)
            ended = time.monotonic()
            seen = viewers.ask(last)
            caught_up = time.monotonic() - ended
    finally:
        web.kill()
        web.wait()
    return [
        Figure("kills of the web process", str(kills)),
        Figure("connections made", str(seen["connects"])),
        _complete("lines missing or twice under kills", seen, last),
        Figure("after the last kill, all have all after", f"{caught_up:.0f} s"),
    ]


def _among_slow_readers(stage: Stage) -> list[Figure]:
    web, people = stage.web(), stage.people
    slow, fast = people[::5], [one for number, one in enumerate(people) if number % 5]
    port = _port_of(stage.portal)
    with (
        Viewers(stage.portal, port, fast) as quick,
        Viewers(stage.portal, port, slow, slow=_SLOW_BYTES) as lazy,
    ):
        quick.wait_open(len(fast))
        lazy.wait_open(len(slow))
        quick.ask(_known(quick, fast))
        note(f"{len(slow)} of them read {_SLOW_BYTES} bytes a second")
        before, base = quick.ask(), web.memory_info().rss
        last, most = _tell(stage, web, SLOW_SECONDS)
        seen = quick.ask(last)
        behind = lazy.ask()
        note("they hurry up")
        lazy.say({"slow": 0})
        caught_up = lazy.ask(last)
    delays = Counter(seen["delays"]) - Counter(before["delays"])
    missing = sum(last[run] - seq for run, seq in behind["last"])
    return [
        Figure(f"lines that {len(slow)} slow readers are behind", f"{missing:,}"),
        at_most("web process grows by slow readers", (most - base) / _MB, _GROWTH_MB, "MB", 0),
        at_most("the others, 99 %", _quantile(delays, 0.99), _LATENCY_SECONDS, "s"),
        _complete("lines missing or twice at slow readers", caught_up, last),
    ]


class Viewers:
    """People in a process of their own; see `benchmarks.live_viewers`."""

    def __init__(
        self, running: Portal, port: int, people: list[tuple[str, str]], *, slow: float = 0
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.live_viewers"],
            cwd=ROOT,
            env=running.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._write({"port": port, "people": people, "slow": slow})

    def ask(self, until: dict[str, int] | None = None) -> dict[str, Any]:
        """Return what they have seen, when they have seen so much."""
        return self.say({"until": until} if until else {})

    def say(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Send a wish and return what they have seen."""
        self._write(wish)
        assert self._process.stdout is not None
        seen: dict[str, Any] = json.loads(self._process.stdout.readline())
        seen["delays"] = {int(key): count for key, count in seen["delays"].items()}
        return seen

    def wait_open(self, count: int) -> None:
        """Wait until all are connected."""
        deadline = time.monotonic() + 120
        while self.ask()["open"] < count:
            if time.monotonic() > deadline:
                raise SystemExit("Not all people of the benchmark are connected.")
            time.sleep(0.5)

    def _write(self, row: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(row) + "\n")
        self._process.stdin.flush()

    def __enter__(self) -> "Viewers":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def _tell(stage: Stage, web: psutil.Process, seconds: float) -> tuple[dict[str, int], int]:
    """Have the runs talk; return the last number of each, and the most memory of a process."""
    writer, most = _start_writer(stage, seconds), 0
    while writer.poll() is None:
        most = max(most, web.memory_info().rss)
        time.sleep(0.1)
    return _last(writer), most


def _start_writer(stage: Stage, seconds: float) -> "subprocess.Popen[str]":
    words = ("tell", seconds, _RATE, _BURST_EVERY, *stage.runs)
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.live_story", *map(str, words)],
        cwd=ROOT,
        env=stage.portal.environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def _last(writer: "subprocess.Popen[str]") -> dict[str, int]:
    output, _ = writer.communicate()
    last: dict[str, int] = json.loads(output.splitlines()[-1])
    return last


def _web_command(stage: Stage, port: int) -> list[str]:
    """Return the command with which `manage.py up` starts its web process, for another port."""
    told = stage.portal.manage("shell", "--no-imports", "-c", _COMMAND)
    command: list[str] = json.loads(told)
    command[command.index("--port") + 1] = str(port)
    return command


def _start_web(stage: Stage, command: list[str]) -> "subprocess.Popen[bytes]":
    quiet = {"PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(command, cwd=ROOT, env={**stage.portal.environment, **quiet})


def _program(running: Portal, *words: object) -> Any:
    """Run a part of `benchmarks.live_story` with the portal's database."""
    command = [sys.executable, "-m", "benchmarks.live_story", *map(str, words)]
    done = subprocess.run(
        command, cwd=ROOT, env=running.environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _port_of(running: Portal) -> int:
    return int(running.environment["CVTRAINER_PORT"])


def _known(viewers: Viewers, people: list[tuple[str, str]]) -> dict[str, int]:
    """Return the newest number that anybody has seen of each run."""
    newest = dict.fromkeys((run for run, _ in people), 0)
    for run_id, seq in viewers.ask()["last"]:
        newest[run_id] = max(newest[run_id], seq)
    return newest


def _complete(what: str, seen: dict[str, Any], last: dict[str, int]) -> Figure:
    """Judge whether everybody has every line once."""
    short = sum(last[run_id] - seq for run_id, seq in seen["last"])
    wrong = short + seen["gaps"] + seen["repeats"]
    return Figure(what, f"{wrong:,}", "0", wrong == 0)


def _quantile(delays: Counter[int], share: float) -> float:
    """Return seconds below which so many of the delays lie."""
    left = share * sum(delays.values())
    for hundredths in sorted(delays):
        left -= delays[hundredths]
        if left <= 0:
            return (hundredths + 1) / 100
    return float("nan")


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _quiet(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind:
        return


if __name__ == "__main__":
    sys.exit(run("live", measure))
