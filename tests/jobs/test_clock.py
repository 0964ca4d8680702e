"""The clock of a web host may be wrong by an hour: waiting and silence go by the database's."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from jobs import clock, transitions
from jobs.states import Status
from tests.fake_jobs.models import FakeJob

HOUR = timedelta(hours=1)


@pytest.fixture(params=[HOUR, -HOUR], ids=["ahead", "behind"])
def wrong_clock(request, monkeypatch) -> timedelta:
    """This process's clock shows another time than the database's; return by how much."""
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + request.param)
    monkeypatch.setattr(clock, "_known", None)
    return request.param


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch) -> None:
    monkeypatch.setattr(clock, "_known", None)


def test_a_job_waits_from_the_databases_now(transactional_db, wrong_clock):
    job = FakeJob.objects.create()
    claimed = transitions.claim(FakeJob, job.pk, worker="w")
    assert claimed is not None and claimed.started_at is not None
    assert timedelta(0) <= claimed.started_at - job.queued_at < timedelta(seconds=10)
    assert claimed.queued_at == job.queued_at  # as it was read back when it was made


def test_a_worker_that_is_heard_of_is_not_silent(transactional_db, wrong_clock):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no clock of its own: see test_on_postgres.py")
    job = transitions.claim(FakeJob, FakeJob.objects.create().pk, worker="w")
    assert job is not None and job.heard_at is None
    # One that fell silent is told so, and how long ago by the clock that shows it.
    lost = job.lease_until - timedelta(minutes=5)
    FakeJob.objects.filter(pk=job.pk).update(lease_until=lost)
    job.refresh_from_db()
    ago = timezone.now() - job.heard_at
    assert timedelta(minutes=4) < ago < timedelta(minutes=6)
    assert job.status == Status.RUNNING
