"""The row of a worker is true, whatever becomes of Redis and of the worker; draining."""

import os
import signal
import sqlite3
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from jobs import queue
from jobs.housekeeping import keep_house
from jobs.states import Status
from jobs.work_at_hand import AtHand, work_at_hand
from jobs.worker_rows import Drain, Worker
from jobs.worker_wishes import drain_worker, undrain_worker
from tests.factories import make_user, make_worker
from tests.fake_jobs.models import FakeJob
from tests.jobs.conftest import (
    assert_epochs_are_whole,
    assert_story_is_whole,
    running_child,
    status_of,
    submitted,
    wait_for,
    wait_for_status,
)
from tests.services.programs import Program, Programs, is_alive
from tests.services.valkey import Valkey

IN_PROCESS = {"JOB_WORKERS": {"imports": "jobs.worker.InProcessWorker"}}


def row_of(worker: Program) -> Any:
    """Return the row of a program, with its standing, or None."""
    rows = Worker.objects.with_standing()
    return next((row for row in rows if f".{worker.pid}." in row.name), None)


def wait_for_standing(worker: Program, *wanted: str, seconds: float = 15.0) -> Worker:
    """Wait until a worker stands like this, and return its row."""
    wait_for(lambda: (row := row_of(worker)) and row.standing in wanted, seconds)
    row: Worker = row_of(worker)
    return row


def drain(worker: Program, user: User, *, at_once: bool = False) -> None:
    drain_worker(worker_id=row_of(worker).pk, user=user, at_once=at_once)


@pytest.fixture(autouse=True)
def _leases_as_in_the_programs(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 2.0


@pytest.fixture
def chief() -> User:
    """Sees everything and drains workers."""
    return make_user("chief", is_staff=True, is_superuser=True)


class TestARow:
    def test_says_what_its_worker_does_since_when(self, programs: Programs, chief: User):
        worker = programs.worker()
        idle = wait_for_standing(worker, "idle")
        assert (idle.queue, idle.gpu_class, idle.reason) == ("imports", "", None)
        job = submitted(wanted=15, pause=0.1, created_by=chief)
        busy = wait_for_standing(worker, "busy")
        assert busy.since > idle.since
        wait_for(lambda: status_of(job) == Status.RUNNING)
        assert work_at_hand([busy], chief) == {busy.name: [AtHand("fakes", job)]}
        stranger = make_user("stranger")
        assert work_at_hand([busy], stranger) == {busy.name: [AtHand("fakes", None)]}
        wait_for_status(job, Status.SUCCEEDED)
        assert wait_for_standing(worker, "idle").since > busy.since
        assert work_at_hand([busy], chief) == {}

    def test_is_heard_of_during_work_in_the_workers_own_process(self, programs: Programs):
        worker = programs.worker(**IN_PROCESS)
        submitted(wanted=50, pause=0.1)
        seen = wait_for_standing(worker, "busy").last_seen
        wait_for(lambda: row_of(worker).last_seen > seen + timedelta(seconds=1))
        assert row_of(worker).standing == "busy"

    def test_of_a_killed_worker_is_lost_within_a_lease(self, programs: Programs):
        worker = programs.worker()
        wait_for_standing(worker, "idle")
        worker.kill()
        killed_at = time.monotonic()
        wait_for_standing(worker, "lost")
        # A lease is 2 seconds here and 60 elsewhere, a beat a sixth of it.
        assert time.monotonic() - killed_at < 2 * (1 + 1 / 6) + 0.5

    def test_goes_with_a_worker_that_leaves_and_a_lost_one_is_made_again(self, programs: Programs):
        worker = programs.worker()
        first = wait_for_standing(worker, "idle")
        Worker.objects.all().delete()
        wait_for(lambda: row_of(worker))
        assert row_of(worker).name == first.name
        worker.terminate()
        assert worker.wait(timeout=5) == 0
        assert row_of(worker) is None

    def test_is_right_after_redis_lost_everything(self, programs: Programs, valkey: Valkey):
        worker = programs.worker()
        submitted(wanted=40, pause=0.1)
        busy = wait_for_standing(worker, "busy")
        valkey.restart_empty()
        time.sleep(2.5)  # longer than a lease
        again = row_of(worker)
        assert (again.pk, again.standing) == (busy.pk, "busy")
        assert again.last_seen > busy.last_seen

    def test_that_cannot_be_written_keeps_nobody_from_work(self, programs: Programs):
        if connection.vendor != "sqlite":
            pytest.skip("locks SQLite")
        worker = programs.worker()
        wait_for_standing(worker, "idle")
        job = submitted(wanted=3, pause=0.2)
        running_child(job, worker)
        with sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None) as locked:
            locked.execute("BEGIN IMMEDIATE")
            time.sleep(3.0)
            locked.execute("ROLLBACK")
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 1
        wait_for_standing(worker, "idle")

    def test_of_a_lost_worker_is_shown_for_a_day(self):
        for hours in (23, 25):
            make_worker(last_seen=timezone.now() - timedelta(hours=hours))
        standings = Worker.objects.with_standing().values_list("standing", flat=True)
        assert list(standings) == ["lost", "lost"]
        keep_house()
        assert Worker.objects.count() == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL may have many hosts")
class TestAnotherMachineOnSqlite:
    def test_is_refused_while_the_first_one_works(self, programs: Programs):
        heard = timezone.now() + timedelta(hours=1)  # of the other one, for as long as it is there
        first = make_worker(queue="imports", machine="another machine", last_seen=heard)
        job, worker = submitted(wanted=1), programs.worker()
        refused = wait_for_standing(worker, "refused")
        assert refused.reason == {"code": "sqlite_elsewhere", "params": {}}
        first.delete()
        wait_for_status(job, Status.SUCCEEDED)

    def test_does_not_stop_those_that_were_there_before(self, programs: Programs):
        worker = programs.worker()
        wait_for_standing(worker, "idle")
        make_worker(queue="imports", machine="another machine")
        job = submitted(wanted=1)
        wait_for_status(job, Status.SUCCEEDED)


class TestADrainedWorker:
    def test_ends_what_it_does_and_takes_nothing_more(self, programs: Programs, chief: User):
        worker = programs.worker()
        job = submitted(wanted=10, pause=0.1)
        running_child(job, worker)
        drain(worker, chief)
        wait_for_standing(worker, "draining")
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 1
        wait_for_standing(worker, "drained")
        waiting = submitted(wanted=1)
        time.sleep(1.0)
        assert status_of(waiting) == Status.QUEUED
        assert queue.rq_queue("imports").get_job_ids() == [queue.delivery_id(waiting)]
        undrain_worker(worker_id=row_of(worker).pk)
        wait_for_status(waiting, Status.SUCCEEDED)

    @pytest.mark.parametrize("kind", [{}, IN_PROCESS], ids=["forking", "in its own process"])
    def test_at_once_gives_back_and_another_goes_on(
        self, programs: Programs, chief: User, kind: dict[str, Any]
    ):
        worker = programs.worker(**kind)
        job = submitted(wanted=25, pause=0.1)
        wait_for(lambda: job.epochs.count() >= 2)
        drain(worker, chief, at_once=True)
        drained_at = time.monotonic()
        wait_for_status(job, Status.QUEUED)
        assert time.monotonic() - drained_at < 5
        assert (job.losses, job.epochs.count() >= 2) == (0, True)
        assert worker.poll() is None
        row = wait_for_standing(worker, "drained")
        assert (row.drain, row.drained_by) == (Drain.NOW, chief)
        worker.kill()  # without harm
        programs.worker(**kind)
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 2
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)

    def test_in_the_middle_of_waiting_lets_a_bell_ring_for_others(
        self, programs: Programs, chief: User
    ):
        worker = programs.worker()
        wait_for_standing(worker, "idle")
        drain(worker, chief)
        waiting = submitted(wanted=1)  # the worker waits for just this bell
        time.sleep(1.0)
        assert status_of(waiting) == Status.QUEUED
        programs.worker()
        wait_for_status(waiting, Status.SUCCEEDED)
        assert f".{worker.pid}." not in waiting.worker


def test_a_child_that_is_frozen_while_its_worker_is_drained_is_killed(
    programs: Programs, chief: User
):
    worker = programs.worker(JOB_WORKERS={"imports": "tests.fake_jobs.workers.HastyWorker"})
    job = submitted(wanted=100, pause=0.1)
    child = running_child(job, worker)
    os.kill(child, signal.SIGSTOP)
    drain(worker, chief, at_once=True)
    wait_for(lambda: not is_alive(child))
    wait_for_status(job, Status.QUEUED)
    assert FakeJob.objects.get(pk=job.pk).losses == 0
