"""What the kernel's tests share: fake jobs, patience, and what must hold of every story."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.fake_jobs.models import FakeEvent, FakeJob


def wait_for(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{seconds} s went by in vain"
        time.sleep(0.02)
    return found


def status_of(job: FakeJob) -> str:
    """Return the status as it stands in the database."""
    return FakeJob.objects.values_list("status", flat=True).get(pk=job.pk)


def wait_for_status(job: FakeJob, *wanted: str, seconds: float = 15.0) -> FakeJob:
    """Wait until a job has one of these statuses, and return it fresh."""
    wait_for(lambda: status_of(job) in wanted, seconds)
    job.refresh_from_db()
    return job


def assert_story_is_whole(job: FakeJob) -> None:
    """No number is missing or twice, and the row knows the last one."""
    job.refresh_from_db()
    numbers = list(FakeEvent.objects.filter(job=job).values_list("seq", flat=True).order_by("seq"))
    assert numbers == list(range(1, job.last_seq + 1))


def assert_epochs_are_whole(job: FakeJob) -> None:
    """Every epoch is there once, up to the wanted one, each with its frame."""
    epochs = list(job.epochs.order_by("epoch").values_list("epoch", flat=True))
    assert epochs == list(range(1, job.wanted + 1))
    frames = FakeEvent.objects.filter(job=job, type="epoch").order_by("seq")
    assert [frame.payload["epoch"] for frame in frames] == epochs


@pytest.fixture
def job(transactional_db: None) -> FakeJob:
    """A queued job, visible to other threads and processes."""
    return FakeJob.objects.create()
