"""Real workers, and what becomes of their jobs when they die, freeze, leave, or run bad work."""

import os
import signal
import time
from typing import Any

import psutil
import pytest
from django.db import transaction

from jobs import queue
from jobs.states import Status
from tests.fake_jobs.models import FakeEpoch, FakeEvent, FakeJob
from tests.jobs.conftest import (
    assert_epochs_are_whole,
    assert_story_is_whole,
    running_child,
    status_of,
    submitted,
    wait_for,
    wait_for_status,
)
from tests.services.programs import Programs, children, is_alive


class TestWorkInTheWorkersOwnProcess:
    def test_ends_as_in_a_child(self, programs: Programs):
        job, bug = submitted(wanted=2), submitted(behaviour="sys_exit")
        worker = programs.worker(JOB_WORKERS={"imports": "jobs.worker.InProcessWorker"})
        wait_for_status(job, Status.SUCCEEDED)
        assert f".{worker.pid}." in job.worker
        wait_for_status(bug, Status.FAILED)
        assert bug.error["code"] == "worker_lost"


class TestTheChildDies:
    def test_by_a_kill_and_its_job_goes_on_at_once(self, programs: Programs):
        job = submitted(wanted=10, pause=0.1)
        worker = programs.worker()
        os.kill(running_child(job, worker), signal.SIGKILL)
        killed_at = time.monotonic()
        wait_for(lambda: FakeJob.objects.get(pk=job.pk).attempt == 2)
        assert time.monotonic() - killed_at < 5  # no lease had to run out, no reconciler runs
        wait_for_status(job, Status.SUCCEEDED)
        assert job.losses == 0  # progress was made since
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)

    @pytest.mark.parametrize("behaviour", ["exit0", "sys_exit", "segfault"])
    def test_each_time_and_the_job_fails_but_the_queue_goes_on(self, programs, behaviour):
        poison = submitted(behaviour=behaviour)
        other = submitted(wanted=1)
        programs.worker()
        wait_for_status(poison, Status.FAILED)
        assert poison.error == {"code": "worker_lost", "params": {"losses": 3}}
        assert poison.attempt == 3
        wait_for_status(other, Status.SUCCEEDED)

    def test_and_what_it_started_dies_with_it(self, programs: Programs):
        job = submitted(behaviour="orphan", pause=0.1)
        worker = programs.worker()
        child = running_child(job, worker)
        (grandchild,) = children(child)
        os.kill(child, signal.SIGKILL)
        wait_for(lambda: not is_alive(grandchild))


class TestTheDatabaseIsPutBack:
    def test_and_who_worked_is_fenced_while_the_job_goes_on_from_there(self, programs: Programs):
        job = submitted(wanted=12, pause=0.15)
        worker = programs.worker()
        os.kill(running_child(job, worker), signal.SIGKILL)
        wait_for(lambda: FakeJob.objects.get(pk=job.pk).attempt == 2 and job.epochs.count() >= 2)
        older = _dump(job)
        os.kill(running_child(job, worker), signal.SIGKILL)
        wait_for(lambda: FakeJob.objects.get(pk=job.pk).attempt == 3)
        wait_for(lambda: job.epochs.filter(attempt=3).exists())
        _put_back(job, older)
        programs.reconciler()
        wait_for_status(job, Status.SUCCEEDED, seconds=30)
        assert job.attempt == 3  # the number was given out a second time
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)


def _dump(job: FakeJob) -> list[list[dict[str, Any]]]:
    """Return a job with its epochs and its story, as a backup has them."""
    with transaction.atomic():
        FakeJob.objects.select_for_update().get(pk=job.pk)
        rows = FakeJob.objects.filter(pk=job.pk)
        return [list(found.values()) for found in (rows, job.epochs.all(), job.events.all())]


def _put_back(job: FakeJob, older: list[list[dict[str, Any]]]) -> None:
    with transaction.atomic():
        (columns,), epochs, story = older
        FakeJob.objects.filter(pk=job.pk).update(**columns)
        job.epochs.exclude(pk__in=[row["id"] for row in epochs]).delete()
        job.events.exclude(pk__in=[row["id"] for row in story]).delete()


class TestTheWorkerDies:
    def test_its_child_dies_with_it_and_another_worker_goes_on(self, programs: Programs):
        programs.reconciler()
        job = submitted(wanted=10, pause=0.2)
        first = programs.worker()
        child = running_child(job, first)
        assert programs.forked() == [child]
        first.kill()
        time.sleep(1.0)
        assert not is_alive(child)
        assert programs.forked() == []
        programs.worker()
        wait_for_status(job, Status.SUCCEEDED, seconds=25)
        assert job.attempt == 2
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)

    def test_and_the_one_in_its_place_goes_on_at_once(self, programs: Programs):
        job = submitted(wanted=10, pause=0.2)
        first = programs.worker()
        running_child(job, first)
        first.kill()
        programs.worker()
        # No reconciler runs, and no lease has run out.
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 2
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)

    def test_between_fetching_and_starting_and_nothing_is_lost(self, programs: Programs):
        job = submitted()
        dying = programs.worker(JOB_WORKERS={"imports": "tests.fake_jobs.workers.DyingWorker"})
        assert dying.wait() == 1
        assert queue.rq_queue("imports").get_job_ids() == []
        FakeJob.objects.update(queued_at="2026-01-01T00:00Z")
        programs.reconciler()
        programs.worker()
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 1


class TestTheChildIsFrozen:
    def test_past_its_lease_and_what_it_writes_afterwards_is_refused(self, programs: Programs):
        programs.reconciler()
        job = submitted(wanted=10, pause=0.1)
        first = programs.worker()
        child = running_child(job, first)
        for pid in (first.pid, child):
            os.kill(pid, signal.SIGSTOP)
        programs.worker()
        wait_for(lambda: FakeJob.objects.get(pk=job.pk).attempt == 2, 20)
        for pid in (child, first.pid):
            os.kill(pid, signal.SIGCONT)
        wait_for_status(job, Status.SUCCEEDED)
        wait_for(lambda: not is_alive(child))
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)
        fence = FakeEvent.objects.get(
            job=job, type="status", payload__status="running", payload__attempt=2
        ).seq
        late = FakeEvent.objects.filter(job=job, seq__gt=fence, type="log")
        assert not [e for e in late if "attempt 1" in e.payload["text"]]

    def test_only_its_parent_and_the_job_does_not_notice(self, programs: Programs):
        programs.reconciler()
        job = submitted(wanted=30, pause=0.1)
        worker = programs.worker()
        running_child(job, worker)
        os.kill(worker.pid, signal.SIGSTOP)
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 1
        os.kill(worker.pid, signal.SIGCONT)
        wait_for_status(submitted(wanted=1), Status.SUCCEEDED)


class TestTheWorkerLeaves:
    def test_and_gives_its_job_back_without_a_loss(self, programs: Programs):
        job = submitted(wanted=30, pause=0.1)
        worker = programs.worker()
        running_child(job, worker)
        worker.terminate()
        assert worker.wait(timeout=10) == 0
        job.refresh_from_db()
        assert (job.status, job.losses) == (Status.QUEUED, 0)
        programs.worker()
        wait_for_status(job, Status.SUCCEEDED)
        assert_epochs_are_whole(job)

    def test_and_what_it_gave_back_comes_first(self, programs: Programs):
        begun = submitted(wanted=10, pause=0.1)
        worker = programs.worker()
        running_child(begun, worker)
        waiting = submitted(wanted=1)
        worker.terminate()
        worker.wait(timeout=10)
        programs.worker()
        wait_for_status(begun, Status.SUCCEEDED)
        wait_for_status(waiting, Status.SUCCEEDED)
        assert begun.finished_at < waiting.started_at

    def test_at_once_where_it_has_nothing_to_do(self, programs: Programs):
        job = submitted(wanted=1)
        worker = programs.worker()
        wait_for_status(job, Status.SUCCEEDED)
        worker.terminate()
        assert worker.wait(timeout=5) == 0

    def test_by_force_at_the_second_signal(self, programs: Programs):
        job = submitted(behaviour="orphan", wanted=1, pause=0.0)
        FakeJob.objects.update(behaviour="deaf")
        worker = programs.worker()
        child = wait_for(lambda: children(worker.pid))[0]
        wait_for(lambda: status_of(job) == Status.RUNNING)
        worker.terminate()
        time.sleep(1.2)
        worker.terminate()
        worker.wait(timeout=10)
        assert not is_alive(child)
        job.refresh_from_db()
        assert (job.status, job.losses) == (Status.QUEUED, 0)


def test_no_process_is_left_behind(programs: Programs):
    job = submitted(wanted=1)
    worker = programs.worker()
    wait_for_status(job, Status.SUCCEEDED)
    worker.kill()
    worker.wait()
    ours = [p for p in psutil.process_iter(["environ"]) if "zombie" not in p.status()]
    named = [
        p
        for p in ours
        if f".{worker.pid}." in (p.info["environ"] or {}).get("CVTRAINER_WORKER", "")
    ]
    assert not named
    assert FakeEpoch.objects.count() == 1
