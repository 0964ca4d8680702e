"""Hundreds of kills, freezes and cuts over small runs: nothing is lost, twice, stuck or late.

CHAOS_FAULTS changes how many, CHAOS_SEED which.
"""

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from jobs import queue
from jobs.states import TERMINAL, Status
from tests.fake_jobs.models import FakeEvent, FakeJob, FakeRefusal
from tests.jobs.conftest import (
    assert_epochs_are_whole,
    assert_story_is_whole,
    submitted,
    wait_for,
)
from tests.services.postgres import Postgres
from tests.services.programs import Program, Programs, children, is_alive
from tests.services.report import leave_report
from tests.services.valkey import Valkey

#: By database; for PostgreSQL see test_on_postgres.py.
FAULTS = {"sqlite": 300, "postgresql": 150}
WANTED = int(os.environ.get("CHAOS_FAULTS", "0"))
SEED = int(os.environ.get("CHAOS_SEED", "20261123"))
WORKERS = 3
WAITING = 6
#: Of a job that lost its worker, or its database, three times before its next epoch.
HOPELESS = {"worker_lost", "database_away"}


class Chaos:
    """Breaks the portal's processes, and starts them again, as its supervisor would."""

    def __init__(self, programs: Programs, valkey: Valkey) -> None:
        self.random = random.Random(SEED)
        self.programs = programs
        self.valkey = valkey
        self.workers = [programs.worker() for _ in range(WORKERS)]
        self.reconcilers = [programs.reconciler()]
        self.jobs: list[FakeJob] = []
        self.frozen: dict[threading.Timer, list[int]] = {}
        self.done: Counter[str] = Counter()
        self.faults: list[tuple[int, Callable[[], bool]]] = [
            (6, self.kill_child),
            (4, self.kill_worker),
            (2, self.terminate_worker),
            (5, self.freeze_child),
            (3, self.freeze_worker_and_child),
            (2, self.freeze_worker),
            (2, self.kill_reconciler),
            (1, self.freeze_reconciler),
            (1, self.kill_valkey),
            (1, self.freeze_valkey),
            (1, self.cut_database),
        ]

    def run(self) -> None:
        """Do all faults, then let everything recover."""
        weights, faults = [w for w, _ in self.faults], [f for _, f in self.faults]
        while sum(self.done.values()) < (WANTED or FAULTS[connection.vendor]):
            self.care()
            self.feed()
            fault = self.random.choices(faults, weights)[0]
            if fault():
                self.done[fault.__name__] += 1
            time.sleep(self.random.uniform(0.05, 0.45))
        for timer in self.frozen:
            timer.join()
        self.care()

    def care(self) -> None:
        """Replace what died."""
        self.frozen = {timer: pids for timer, pids in self.frozen.items() if timer.is_alive()}
        self.workers = [w if w.poll() is None else self.programs.worker() for w in self.workers]
        self.reconcilers = [
            r if r.poll() is None else self.programs.reconciler() for r in self.reconcilers
        ]

    def feed(self) -> None:
        """Have jobs wait."""
        for _ in range(WAITING - FakeJob.objects.active().count()):
            self.jobs.append(submitted(wanted=self.random.randint(3, 12), pause=0.05))

    def kill_child(self) -> bool:
        return self.signal(self.a_child(), signal.SIGKILL)

    def kill_worker(self) -> bool:
        return self.signal([self.a_worker().pid], signal.SIGKILL)

    def terminate_worker(self) -> bool:
        return self.signal([self.a_worker().pid], signal.SIGTERM)

    def freeze_child(self) -> bool:
        return self.freeze(self.a_child())

    def freeze_worker(self) -> bool:
        return self.freeze([self.a_worker().pid])

    def freeze_worker_and_child(self) -> bool:
        worker = self.a_worker()
        return self.freeze([worker.pid, *children(worker.pid)])

    def kill_reconciler(self) -> bool:
        return self.signal([self.reconcilers[0].pid], signal.SIGKILL)

    def freeze_reconciler(self) -> bool:
        return self.freeze([self.reconcilers[0].pid])

    def kill_valkey(self) -> bool:
        self.valkey.restart_empty()
        return True

    def freeze_valkey(self) -> bool:
        self.valkey.freeze()
        time.sleep(self.random.uniform(0.1, 1.0))
        self.valkey.thaw()
        return True

    def cut_database(self) -> bool:
        """End every connection, or hold SQLite's lock for a moment."""
        if base := os.environ.get("TEST_POSTGRES_BASE"):
            connection.close()
            Postgres(Path(base)).cut_connections()
            return True
        lock = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=60)
        lock.execute("BEGIN EXCLUSIVE")
        time.sleep(self.random.uniform(0.2, 1.5))
        lock.execute("ROLLBACK")
        lock.close()
        return True

    def freeze(self, pids: list[int]) -> bool:
        """Stop processes for up to twice and a half a lease of two seconds.

        A timer thaws them: one that was stopped while it held SQLite's lock holds us up as well.
        """
        seconds = self.random.uniform(0.2, 5.0)
        # Enough workers must stay that somebody else takes the job.
        if len(self.frozen) >= WORKERS - 1 or not self.signal(pids, signal.SIGSTOP):
            return False
        timer = threading.Timer(seconds, self.signal, (pids, signal.SIGCONT))
        timer.start()
        self.frozen[timer] = pids
        return True

    def a_worker(self) -> Program:
        """Choose one, sooner one that is not frozen: those shall thaw and find their job lost."""
        return self.random.choice(
            [w for w in self.workers if not self.is_frozen(w)] or self.workers
        )

    def a_child(self) -> list[int]:
        found = children(self.a_worker().pid)
        return [self.random.choice(found)] if found else []

    def is_frozen(self, worker: Program) -> bool:
        family = {worker.pid, *children(worker.pid)}
        return any(family & set(pids) for pids in self.frozen.values())

    def signal(self, pids: list[int], number: int) -> bool:
        hit = [pid for pid in pids if is_alive(pid)]
        for pid in hit:
            os.kill(pid, number)
        return bool(hit)


@pytest.mark.slow
@pytest.mark.timeout(600 + 3 * WANTED)
def test_nothing_is_lost_or_twice_or_stuck_or_late(programs: Programs, valkey: Valkey, capsys):
    began = time.monotonic()
    chaos = Chaos(programs, valkey)
    chaos.run()
    wait_for(lambda: all_ended(chaos), 60)

    gave_up = give_those_up_another_chance(chaos)
    leave_report(
        seconds=time.monotonic() - began,
        events=chaos.done,
        runs=len(chaos.jobs),
        attempts=sum(FakeJob.objects.values_list("attempt", flat=True)),
        epochs=sum(FakeJob.objects.values_list("wanted", flat=True)),
        wrong=sum(wrong_epochs(job) for job in chaos.jobs),
        refused=FakeRefusal.objects.filter(was_accepted=False).count(),
        accepted=FakeRefusal.objects.filter(was_accepted=True).count(),
    )
    for job in chaos.jobs:
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)
        assert_no_attempt_speaks_after_the_next_began(job)
        assert job.status == Status.SUCCEEDED
    assert not FakeRefusal.objects.filter(was_accepted=True).exists()
    wait_for(lambda: not programs.forked())
    wait_for(lambda: not queue.rq_queue("imports").get_job_ids())
    with capsys.disabled():
        print(figures(chaos, gave_up, time.monotonic() - began))


def wrong_epochs(job: FakeJob) -> int:
    """Return how many epochs are missing or twice, in the rows or in the story."""
    rows = Counter(job.epochs.values_list("epoch", flat=True))
    frames = FakeEvent.objects.filter(job=job, type="epoch")
    told = Counter(frame.payload["epoch"] for frame in frames)
    return sum((rows[n], told[n]) != (1, 1) for n in range(1, job.wanted + 1))


def all_ended(chaos: Chaos) -> bool:
    chaos.care()
    return not FakeJob.objects.active().exists()


def give_those_up_another_chance(chaos: Chaos) -> int:
    """A job that lost its worker three times before its next epoch has failed, and may go on."""
    failed = list(FakeJob.objects.exclude(status=Status.SUCCEEDED))
    for job in failed:
        assert job.status == Status.FAILED
        assert job.error["code"] in HOPELESS
        queue.retry(job)
    wait_for(lambda: all_ended(chaos), 60)
    return len(failed)


def assert_no_attempt_speaks_after_the_next_began(job: FakeJob) -> None:
    attempt = 0
    for event in FakeEvent.objects.filter(job=job).order_by("seq"):
        if event.type == "status":
            assert event.payload["attempt"] in {attempt, attempt + 1}
            attempt = event.payload["attempt"]
        elif event.type == "epoch":
            assert event.payload["attempt"] == attempt
        elif event.type == "log":
            assert event.payload["text"].split("attempt ")[1].split()[0] == str(attempt)


def figures(chaos: Chaos, gave_up: int, seconds: float) -> str:
    kills = sum(n for name, n in chaos.done.items() if "kill" in name or "terminate" in name)
    stops = sum(n for name, n in chaos.done.items() if "freeze" in name)
    cuts = chaos.done["cut_database"]
    attempts = sum(FakeJob.objects.values_list("attempt", flat=True))
    epochs = sum(FakeJob.objects.values_list("wanted", flat=True))
    assert FakeJob.objects.filter(status__in=TERMINAL).count() == len(chaos.jobs)
    return (
        f"\nchaos on {connection.vendor}, seed {SEED}: "
        f"{kills} kills, {stops} stops and {cuts} cuts in {seconds:.0f} s over "
        f"{len(chaos.jobs)} runs in {attempts} attempts; {epochs} epochs, "
        f"none missing or twice; {FakeRefusal.objects.count()} stale writes refused, none taken; "
        f"{gave_up} runs given up after three losses and gone on at a person's wish"
    )
