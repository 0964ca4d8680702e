"""The stage of bench-live: a portal, runs that talk, and people in a process of their own."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.figures import Figure
from benchmarks.portal import ROOT, Portal

PEOPLE = int(os.environ.get("LIVE_PEOPLE", "1000"))
RUNS = int(os.environ.get("LIVE_RUNS", "10"))
MB = 1024 * 1024
LATENCY_SECONDS = 1.0
_RATE, _BURST_EVERY = 10, 20.0


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

    @property
    def port(self) -> int:
        """Where the portal is."""
        return int(self.portal.environment["CVTRAINER_PORT"])

    def web(self) -> psutil.Process:
        """Return the web process of `manage.py up`."""
        return psutil.Process(self.portal.pids("uvicorn")[0])


class Viewers:
    """People in a process of their own; see `benchmarks.live_viewers`."""

    def __init__(
        self, running: Portal, port: int, people: list[tuple[str, str]], **how: object
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.live_viewers"],
            cwd=ROOT,
            env=running.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._write({"port": port, "people": people, **how})

    def ask(self, until: dict[str, int] | None = None) -> dict[str, Any]:
        """Return what they have seen, when they have seen so much."""
        return self.say({"until": until} if until else {})

    def say(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Send a wish and return what they have seen."""
        self._write(wish)
        assert self._process.stdout is not None
        seen: dict[str, Any] = json.loads(self._process.stdout.readline())
        for name in ("delays", "drawn"):
            seen[name] = Counter({int(key): count for key, count in seen[name].items()})
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


def let_talk(stage: Stage, web: psutil.Process, seconds: float) -> tuple[dict[str, int], int]:
    """Have the runs talk; return the last number of each, and the most memory of a process."""
    writer, most = start_writer(stage, seconds), 0
    while writer.poll() is None:
        most = max(most, web.memory_info().rss)
        time.sleep(0.1)
    return last_of(writer), most


def start_writer(stage: Stage, seconds: float) -> "subprocess.Popen[str]":
    """Begin to have the runs talk."""
    words = ("tell", seconds, _RATE, _BURST_EVERY, *stage.runs)
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.live_story", *map(str, words)],
        cwd=ROOT,
        env=stage.portal.environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def last_of(writer: "subprocess.Popen[str]") -> dict[str, int]:
    """Return the last number of each run, once they have all told what they had to tell."""
    output, _ = writer.communicate()
    last: dict[str, int] = json.loads(output.splitlines()[-1])
    return last


def run_program(running: Portal, *words: object) -> Any:
    """Run a part of `benchmarks.live_story` with the portal's database."""
    command = [sys.executable, "-m", "benchmarks.live_story", *map(str, words)]
    done = subprocess.run(
        command, cwd=ROOT, env=running.environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def newest_seen(viewers: Viewers, people: list[tuple[str, str]]) -> dict[str, int]:
    """Return the newest number that anybody has seen of each run."""
    newest = dict.fromkeys((run for run, _ in people), 0)
    for run_id, seq in viewers.ask()["last"]:
        newest[run_id] = max(newest[run_id], seq)
    return newest


def none_missing(what: str, seen: dict[str, Any], last: dict[str, int]) -> Figure:
    """Judge whether everybody has every line once."""
    short = sum(last[run_id] - seq for run_id, seq in seen["last"])
    wrong = short + seen["gaps"] + seen["repeats"]
    return Figure(what, f"{wrong:,}", "0", wrong == 0)


def quantile(delays: Counter[int], share: float) -> float:
    """Return seconds below which so many of the delays lie."""
    left = share * sum(delays.values())
    for hundredths in sorted(delays):
        left -= delays[hundredths]
        if left <= 0:
            return (hundredths + 1) / 100
    return float("nan")


def cpu_seconds(process: psutil.Process) -> float:
    """Return how long a process has kept a core busy."""
    times = process.cpu_times()
    return float(times.user + times.system)
