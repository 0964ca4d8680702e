"""What the kernel's tests share: fake jobs, patience, and what must hold of every story."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from jobs import queue
from jobs.models import StreamTicket
from jobs.worker_rows import Worker
from tests.fake_jobs.models import FakeEpoch, FakeEvent, FakeJob, FakeRefusal
from tests.services.programs import Program, children


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


def submitted(**fields: Any) -> FakeJob:
    """Make a job and deliver it."""
    job = FakeJob.objects.create(**fields)
    queue.submit(job)
    return job


def running_child(job: FakeJob, worker: Program) -> int:
    """Wait until a worker's child has committed an epoch of a job, and return its pid."""
    wait_for(job.epochs.exists)
    return children(worker.pid)[0]


@pytest.fixture(autouse=True)
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database as other threads and processes see it.

    In place of pytest-django's fixture of this name, which empties forty tables after each test.
    """
    with django_db_blocker.unblock():
        yield
        ours = (FakeRefusal, FakeEvent, FakeEpoch, FakeJob, StreamTicket, Worker)
        for model in (*ours, get_user_model()):
            model.objects.all().delete()
        connection.close()


@pytest.fixture
def job(transactional_db: None) -> FakeJob:
    """A queued job, visible to other threads and processes."""
    return FakeJob.objects.create()
