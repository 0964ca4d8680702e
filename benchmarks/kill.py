"""bench-kill: what is lost when processes are killed, frozen and cut off at random moments.

Two parts, both the chaos tests of the portal, of which every test run does a few: kills of trainer,
supervisor, worker and Valkey over small real trainings; kills, freezes and cuts over jobs that only
count, on SQLite and on PostgreSQL. Targets: no committed epoch lost, no resume that fails, no epoch
missing or twice, no stale write accepted. BENCH_KILLS and BENCH_FAULTS change how many.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, note, run
from benchmarks.portal import ROOT

_KILLS = int(os.environ.get("BENCH_KILLS", "200"))
_FAULTS = int(os.environ.get("BENCH_FAULTS", "1000"))
#: What a test counts of what must not be.
_BAD = ("lost", "failed_resumes", "wrong", "accepted")
_SEED = os.environ.get("CHAOS_SEED", "20261127")


def measure() -> list[Figure]:
    """Kill, freeze and cut."""
    return [*_real_runs(), *_fake_runs("SQLite"), *_on_postgres()]


def _real_runs() -> list[Figure]:
    note(f"{_KILLS} kills over real trainings")
    found = _chaos("training", CHAOS_EVENTS=str(_KILLS), CHAOS_KINDS="kill")
    kills = sum(found["events"].values())
    what = f"real trainings: {found['runs']} runs in {found['attempts']} attempts"
    return [
        Figure(what, f"{kills} kills in {found['seconds']:.0f} s", f">= {_KILLS}", kills >= _KILLS),
        Figure("who was killed", _counted(found["events"])),
        _none(f"committed epochs lost, of {found['epochs']}", found["lost"]),
        _none(f"resumes that failed, of {found['resumes']}", found["failed_resumes"]),
    ]


def _fake_runs(database: str, **environment: str) -> list[Figure]:
    note(f"{_FAULTS} kills, freezes and cuts on {database}")
    found = _chaos("jobs", CHAOS_FAULTS=str(_FAULTS), **environment)
    events = sum(found["events"].values())
    what = f"{database}: {found['runs']} runs in {found['attempts']} attempts"
    told = f"{events} events in {found['seconds']:.0f} s"
    stale = found["refused"] + found["accepted"]
    return [
        Figure(what, told, f">= {_FAULTS}", events >= _FAULTS),
        Figure(f"{database}: what happened", _counted(found["events"])),
        _none(f"{database}: epochs missing or twice, of {found['epochs']}", found["wrong"]),
        _none(f"{database}: stale writes accepted, of {stale}", found["accepted"]),
    ]


def _on_postgres() -> list[Figure]:
    from tests.services.postgres import Postgres, Unavailable

    try:
        server = Postgres()
        server.start()
    except Unavailable as reason:
        return [Figure("PostgreSQL", f"cannot run here: {reason}"[:80])]
    try:
        url = server.create_database()
        return _fake_runs("PostgreSQL", TEST_DATABASE_URL=url, TEST_POSTGRES_BASE=str(server.base))
    finally:
        server.stop()


def _chaos(app: str, **environment: str) -> dict[str, Any]:
    """Run a chaos test and return what it measured.

    Raises:
        SystemExit: it did not come to its end, or found more than what it counts.
    """
    with tempfile.TemporaryDirectory(prefix="cvt-kill-") as folder:
        report = Path(folder) / "report.json"
        values = {**os.environ, "CHAOS_SEED": _SEED, **environment, "CHAOS_REPORT": str(report)}
        file = f"tests/{app}/test_chaos.py"
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", file]
        done = subprocess.run(
            command, cwd=ROOT, env=values, capture_output=True, text=True, check=False
        )
        found: dict[str, Any] = json.loads(report.read_text()) if report.is_file() else {}
        counted = sum(found.get(name, 0) for name in _BAD)
        if not found or (done.returncode and not counted):
            raise SystemExit(f"{file} failed:\n{done.stdout[-6000:]}{done.stderr[-2000:]}")
        return found


def _counted(events: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in sorted(events.items()))


def _none(what: str, count: int) -> Figure:
    return Figure(what, str(count), "0", count == 0)


if __name__ == "__main__":
    sys.exit(run("kill", measure))
