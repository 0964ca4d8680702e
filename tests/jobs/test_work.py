"""What one worker makes of good work, bad work, and a change of mind."""

import pytest
from django.db import transaction

from jobs import queue
from jobs.states import Status
from tests.fake_jobs.models import FakeEpoch, FakeEvent, FakeJob
from tests.jobs.conftest import (
    assert_epochs_are_whole,
    assert_story_is_whole,
    running_child,
    submitted,
    wait_for,
    wait_for_status,
)
from tests.services.programs import Program, Programs, children, is_alive


@pytest.fixture
def worker(programs: Programs) -> Program:
    """One worker."""
    return programs.worker()


def test_is_done_by_a_child(worker):
    job = submitted()
    wait_for_status(job, Status.SUCCEEDED)
    assert job.attempt == 1
    assert job.progress["percent"] == 100.0
    assert_epochs_are_whole(job)
    assert_story_is_whole(job)


def test_tells_its_story_in_order(worker):
    job = submitted(wanted=2)
    wait_for_status(job, Status.SUCCEEDED)
    events = FakeEvent.objects.filter(job=job).order_by("seq")
    logs = [e.payload["text"] for e in events if e.type == "log"]
    assert logs == ["attempt 1 begins", "epoch 1 of attempt 1", "epoch 2 of attempt 1"]
    statuses = [e.payload["status"] for e in events if e.type == "status"]
    assert statuses == ["running", "succeeded"]
    assert events.last().type == "status"


def test_that_raises_fails_with_an_incident_number(worker):
    job = submitted(behaviour="bug")
    wait_for_status(job, Status.FAILED)
    assert job.error["code"] == "internal"
    assert job.error["params"]["incident"]


def test_that_blames_the_caller_fails_with_that(worker):
    job = submitted(behaviour="user_error")
    wait_for_status(job, Status.FAILED)
    assert job.error == {"code": "not_resumable", "params": {}}


def test_whose_result_cannot_be_written_fails(worker):
    job = submitted(behaviour="bad_result", wanted=1)
    wait_for_status(job, Status.FAILED)
    assert job.error["code"] == "not_resumable"


def test_that_is_canceled_stops(worker):
    job = submitted(wanted=1000, pause=0.1)
    running_child(job, worker)
    queue.cancel(job)
    wait_for_status(job, Status.CANCELED, seconds=10)
    wait_for(lambda: not children(worker.pid))
    assert_story_is_whole(job)


def test_that_was_canceled_goes_on_after_a_retry(worker):
    job = submitted(wanted=20, pause=0.05)
    running_child(job, worker)
    queue.cancel(job)
    wait_for_status(job, Status.CANCELED, seconds=10)
    assert 0 < job.epochs.count() < 20
    queue.retry(job)
    wait_for_status(job, Status.SUCCEEDED)
    assert_epochs_are_whole(job)


def test_whose_row_is_deleted_meanwhile_ends_and_leaves_nothing(worker):
    job = submitted(wanted=1000, pause=0.1)
    child = running_child(job, worker)
    with transaction.atomic():
        # The row first: its worker writes nothing without it, so nothing comes in between.
        FakeJob.objects.select_for_update().get(pk=job.pk).delete()
    wait_for(lambda: not is_alive(child))
    wait_for_status(submitted(wanted=1), Status.SUCCEEDED)
    assert FakeEpoch.objects.count() == 1
