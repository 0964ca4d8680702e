"""The database goes away, is cut off, or is locked, at the worst moments."""

import os
import signal
import sqlite3
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from jobs import queue, reconcile, transitions
from jobs.models import NO_LEASE
from jobs.patience import persist
from jobs.reconcile import Reconciler
from jobs.states import Status
from tests.fake_jobs.models import FakeEpoch, FakeEvent, FakeJob, FakeRefusal
from tests.jobs.conftest import (
    assert_epochs_are_whole,
    assert_story_is_whole,
    running_child,
    status_of,
    submitted,
    wait_for,
    wait_for_status,
)
from tests.services import clock_shim
from tests.services.postgres import Postgres
from tests.services.programs import Programs, Zygote, children


@pytest.fixture
def on_sqlite(transactional_db) -> str:
    if connection.vendor != "sqlite":
        pytest.skip("runs on SQLite only")
    return connection.settings_dict["NAME"]


def stop_for(postgres: Postgres, seconds: float) -> None:
    """Crash the server, and start it again after a while."""
    connection.close()
    postgres.crash()
    time.sleep(seconds)
    postgres.start()


class TestPostgresGoesAway:
    def test_during_a_run_for_longer_than_its_lease(self, on_postgres, programs: Programs):
        programs.reconciler()
        job = submitted(wanted=40, pause=0.1)
        running_child(job, programs.worker())
        stop_for(on_postgres, 4.0)
        wait_for_status(job, Status.SUCCEEDED, seconds=40)
        assert job.attempt == 1  # nobody took it from its living worker
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)

    def test_at_the_end_of_a_run(self, on_postgres, programs: Programs):
        programs.reconciler()
        job = submitted(wanted=1, behaviour="slow_end")
        running_child(job, programs.worker())
        stop_for(on_postgres, 5.0)  # the work ends meanwhile
        wait_for_status(job, Status.SUCCEEDED, seconds=30)
        assert job.attempt == 1
        assert_story_is_whole(job)

    def test_under_work_that_does_not_wait_for_it(self, on_postgres, programs: Programs):
        job = submitted(behaviour="impatient", wanted=1)
        worker = programs.worker()
        wait_for(lambda: status_of(job) == Status.RUNNING)
        wait_for(lambda: children(worker.pid))
        time.sleep(0.3)
        stop_for(on_postgres, 1.0)
        wait_for_status(job, Status.SUCCEEDED, seconds=30)
        assert job.attempt > 1
        assert job.losses > 0

    def test_and_a_worker_that_is_told_to_leave_does_not_wait_for_ever(self, on_postgres, programs):
        job = submitted(wanted=1000, pause=0.1)
        worker = programs.worker()
        running_child(job, worker)
        connection.close()
        on_postgres.crash()
        try:
            worker.terminate()
            worker.wait(timeout=40)
        finally:
            on_postgres.start()


def _has_gone_on(job: FakeJob, seen: dict[Any, int]) -> bool:
    """Whether a job has a new epoch, or nobody works on it."""
    is_running = status_of(job) == Status.RUNNING
    return not is_running or job.epochs.count() > seen.get(job.pk, 0)


class TestConnectionsAreCut:
    def test_twenty_times_during_runs(self, on_postgres, programs: Programs):
        programs.reconciler()
        jobs = [submitted(wanted=30, pause=0.05) for _ in range(3)]
        programs.worker()
        programs.worker()
        seen: dict[Any, int] = {}
        for _ in range(20):
            time.sleep(0.25)
            # Three losses without an epoch between them would end a job, and rightly.
            wait_for(lambda: all(_has_gone_on(job, seen) for job in jobs), seconds=60)
            seen.update({job.pk: job.epochs.count() for job in jobs})
            on_postgres.cut_connections()
            connection.close()
        for job in jobs:
            wait_for_status(job, Status.SUCCEEDED, seconds=90)
            assert_epochs_are_whole(job)
            assert_story_is_whole(job)

    def test_in_the_midst_of_a_commit_whose_outcome_nobody_hears(self, on_postgres):
        """The server commits and dies before it answers: what is done must not be done again."""
        job = FakeJob.objects.create()
        mine = transitions.claim(FakeJob, job.pk, worker="w1")
        assert mine is not None
        tries = 0

        def write() -> None:
            nonlocal tries
            tries += 1
            if FakeEpoch.objects.filter(job=mine, epoch=1, attempt=mine.attempt).exists():
                return
            with transitions.fenced(mine):
                FakeEpoch.objects.create(job=mine, epoch=1, attempt=mine.attempt)
                transitions.append(mine, [("epoch", {"epoch": 1})])
            if tries == 1:
                raise OperationalError("server closed the connection unexpectedly")

        persist(write)
        assert tries == 2
        assert job.epochs.count() == 1
        assert job.events.filter(type="epoch").count() == 1
        assert_story_is_whole(job)


class TestAnAnswerThatIsLost:
    """The commit landed, the connection broke before we heard of it."""

    def test_of_a_claim_leaves_the_job_with_its_claimer(self, job, monkeypatch):
        from jobs import runner

        claim = transitions.claim

        def claim_and_lose_the_answer(*args, **kwargs):
            claim(*args, **kwargs)
            monkeypatch.setattr(transitions, "claim", claim)
            raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(transitions, "claim", claim_and_lose_the_answer)
        seen = []
        runner.run_job(FakeJob, str(job.pk), lambda job, reporter: seen.append(job.attempt))
        assert seen == [1]
        job.refresh_from_db()
        assert (job.status, job.attempt, job.losses) == (Status.SUCCEEDED, 1, 0)

    def test_of_the_end_is_no_second_end(self, job, monkeypatch):
        from jobs import runner

        finish = transitions.finish
        results = []

        def finish_and_lose_the_answer(*args, **kwargs):
            monkeypatch.setattr(transitions, "finish", finish)
            assert finish(*args, **kwargs)
            connection.on_commit(fail)
            return True

        def fail() -> None:
            raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(transitions, "finish", finish_and_lose_the_answer)
        runner.run_job(FakeJob, str(job.pk), lambda *_: lambda: results.append(1))
        job.refresh_from_db()
        assert job.status == Status.SUCCEEDED
        assert results == [1]
        assert_story_is_whole(job)


class TestSqliteIsLocked:
    def test_for_longer_than_the_lease(self, on_sqlite, programs: Programs):
        programs.reconciler()
        job = submitted(wanted=40, pause=0.1)
        running_child(job, programs.worker())
        lock = sqlite3.connect(on_sqlite, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        time.sleep(4.0)
        lock.execute("ROLLBACK")
        lock.close()
        wait_for_status(job, Status.SUCCEEDED, seconds=40)
        assert job.attempt == 1
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)

    def test_by_eight_writers_and_a_slow_one_nobody_hears_of_it(self, on_sqlite, job):
        mine = transitions.claim(FakeJob, job.pk, worker="w1")
        errors: list[Exception] = []

        def write() -> None:
            try:
                for _ in range(20):
                    transitions.append(mine, [("log", {"level": "info", "text": "x"})])
            except Exception as error:  # noqa: BLE001  any is one too many
                errors.append(error)
            finally:
                connection.close()

        lock = sqlite3.connect(on_sqlite, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(3.0)
        lock.execute("ROLLBACK")
        for thread in threads:
            thread.join()
        assert errors == []
        assert_story_is_whole(job)


class TestTheReconcilerAfterAnOutage:
    @pytest.fixture
    def silent(self, job, settings) -> FakeJob:
        settings.JOB_LEASE_SECONDS, settings.JOB_RENEW_SECONDS = 0.6, 0.1
        mine = transitions.claim(FakeJob, job.pk, worker="w1")
        FakeJob.objects.update(lease_until=NO_LEASE)
        return mine

    def test_gives_living_workers_time_to_be_heard(self, silent):
        reconciler = Reconciler()
        assert reconciler.run_pass().taken_back == 0
        time.sleep(0.25)
        assert reconciler.run_pass().taken_back == 1

    def test_begins_again_after_each_outage(self, silent, monkeypatch):
        reconciler = Reconciler()
        reconciler.run_pass()
        time.sleep(0.25)
        with monkeypatch.context() as patch:
            patch.setattr(reconcile, "reconcile", _away)
            with pytest.raises(OperationalError):
                reconciler.run_pass()
        assert reconciler.run_pass().taken_back == 0

    def test_begins_again_after_a_sleep_of_the_machine(self, silent, monkeypatch):
        reconciler = Reconciler()
        reconciler.run_pass()
        time.sleep(0.25)
        _set_clock(monkeypatch, ahead=3600)
        assert reconciler.run_pass().taken_back == 0

    @pytest.mark.parametrize("hours", [1, -1])
    def test_begins_again_when_the_clock_of_the_database_is_set(self, silent, monkeypatch, hours):
        reconciler = Reconciler()
        reconciler.run_pass()
        time.sleep(0.25)
        _set_clock(monkeypatch, ahead=hours * 3600)
        assert reconciler.run_pass().taken_back == 0
        time.sleep(0.25)
        assert reconciler.run_pass().taken_back == 1

    def test_one_row_that_cannot_be_taken_back_does_not_keep_the_others(self, silent, monkeypatch):
        other = FakeJob.objects.create()
        transitions.claim(FakeJob, other.pk, worker="w1")
        FakeJob.objects.update(lease_until=NO_LEASE)
        take_back = transitions.take_back

        def fail_for_one(job, **how):
            if job.pk == silent.pk:
                raise ValueError("broken")
            return take_back(job, **how)

        monkeypatch.setattr(transitions, "take_back", fail_for_one)
        assert reconcile.reconcile().taken_back == 1
        assert status_of(other) == Status.QUEUED


class TestHostsWhoseClocksDiffer:
    """By an hour from the database's, one ahead and one behind: leases know only that clock."""

    @pytest.fixture
    def skewed(self, on_postgres, programs: Programs, tmp_path):
        library = clock_shim.build(tmp_path)
        if library is None:
            pytest.skip("needs a C compiler")
        started = []
        for seconds in (3600, -3600):
            shift = clock_shim.environment(library, seconds=seconds)
            zygote = Zygote({**programs.zygote.environment, **shift})
            started.append((zygote, Programs(zygote)))
        yield [programs for _, programs in started]
        for zygote, programs in started:
            programs.end()
            zygote.end()

    def test_work_as_if_they_did_not(self, skewed, programs: Programs):
        ahead, behind = skewed
        ahead.reconciler()
        behind.reconciler()
        jobs = [submitted(wanted=30, pause=0.1) for _ in range(2)]
        workers = [ahead.worker(), behind.worker()]
        for job in jobs:
            wait_for(job.epochs.exists)
        told = FakeEvent.objects.filter(type="log").order_by("at")
        assert told.last().at - told.first().at > timedelta(hours=1, minutes=50)
        for job in jobs:
            wait_for_status(job, Status.SUCCEEDED, seconds=30)
            assert job.attempt == 1  # nobody thought that its worker is silent
            assert_epochs_are_whole(job)
            assert_story_is_whole(job)
        assert all(worker.poll() is None for worker in workers)

    def test_lose_their_jobs_when_they_are_silent_and_not_before(self, skewed, programs: Programs):
        ahead, behind = skewed
        programs.reconciler()
        job = submitted(wanted=20, pause=0.1)
        first = ahead.worker()
        child = running_child(job, first)
        for pid in (first.pid, child):
            os.kill(pid, signal.SIGSTOP)
        frozen_at = time.monotonic()
        behind.worker()
        wait_for(lambda: FakeJob.objects.get(pk=job.pk).attempt == 2, 20)
        assert time.monotonic() - frozen_at < 10  # a lease of 2 s, and a pass of the reconciler
        for pid in (child, first.pid):
            os.kill(pid, signal.SIGCONT)
        wait_for_status(job, Status.SUCCEEDED, seconds=30)
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)
        assert not FakeRefusal.objects.filter(was_accepted=True).exists()


def _set_clock(monkeypatch, *, ahead: float) -> None:
    """Have the database's clock show another time from now on."""
    look = reconcile._look_at_database

    def look_at_another() -> tuple[float, float]:
        took, clock = look()
        return took, clock + ahead

    monkeypatch.setattr(reconcile, "_look_at_database", look_at_another)


def _away(**_):
    raise OperationalError("connection refused")


def test_the_reconciler_itself_may_be_killed_and_frozen(programs: Programs):
    first, second = programs.reconciler(), programs.reconciler()
    job = FakeJob.objects.create(wanted=1)
    FakeJob.objects.update(queued_at="2026-01-01T00:00Z")
    os.kill(first.pid, signal.SIGSTOP)
    programs.worker()
    wait_for_status(job, Status.SUCCEEDED)
    second.kill()
    os.kill(first.pid, signal.SIGCONT)
    lost = FakeJob.objects.create(wanted=1)
    FakeJob.objects.filter(pk=lost.pk).update(queued_at="2026-01-01T00:00Z")
    wait_for_status(lost, Status.SUCCEEDED)
    assert queue.rq_queue("imports").get_job_ids() == []
