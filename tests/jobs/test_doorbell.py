"""Waiting for a job in a thread: at once by its doorbell, soon without, never longer than said."""

import threading
import time
from typing import Any

import pytest
from django.db import connection

from detection import waiting
from jobs import queue
from jobs.events import Doorbell, ring
from tests.fake_jobs.models import FakeJob
from tests.services.valkey import Valkey


def later(seconds: float, call: Any) -> threading.Thread:
    """Call something in a thread after a while."""
    thread = threading.Timer(seconds, call)
    thread.start()
    return thread


def end(job: FakeJob) -> None:
    """Cancel a job that waits, as another request would; that rings."""
    try:
        queue.cancel(job)
    finally:
        connection.close()


def waited(job: FakeJob, seconds: float) -> tuple[bool, float]:
    """Wait for a job; return what came of it and how long it took in seconds."""
    began = time.monotonic()
    is_over = waiting.wait_for(job, seconds)
    return is_over, time.monotonic() - began


class TestDoorbell:
    def test_wakes_at_once(self, job: FakeJob, valkey: Valkey) -> None:
        with Doorbell(job) as bell:
            ringing = later(0.3, lambda: ring(job))
            began = time.monotonic()
            bell.wait(10)
            assert 0.25 < time.monotonic() - began < 2
        ringing.join()

    def test_of_another_job_wakes_nobody(self, job: FakeJob, valkey: Valkey) -> None:
        with Doorbell(job) as bell:
            ringing = later(0.1, lambda: ring(FakeJob()))
            began = time.monotonic()
            bell.wait(0.6)
            assert time.monotonic() - began >= 0.5
        ringing.join()

    @pytest.mark.parametrize("how", ["killed", "frozen", "killed while it waits"])
    def test_without_redis_it_waits_as_long_as_said(
        self, job: FakeJob, valkey: Valkey, how: str
    ) -> None:
        if how == "killed":
            valkey.kill()
        elif how == "frozen":
            valkey.freeze()
        else:
            later(0.1, valkey.kill)
        began = time.monotonic()
        with Doorbell(job) as bell:
            bell.wait(0.5)
        assert 0.45 <= time.monotonic() - began < 2.5


class TestWaiting:
    def test_ends_with_the_job(self, job: FakeJob, valkey: Valkey) -> None:
        ending = later(0.3, lambda: end(job))
        is_over, took = waited(job, 10)
        ending.join()
        assert is_over
        assert took < 2

    def test_ends_with_the_job_though_redis_is_away(self, job: FakeJob, valkey: Valkey) -> None:
        valkey.kill()
        ending = later(0.3, lambda: end(job))
        is_over, took = waited(job, 10)
        ending.join()
        assert is_over
        assert took < 3

    def test_gives_up_when_the_time_is_over(self, job: FakeJob, valkey: Valkey) -> None:
        is_over, took = waited(job, 0.4)
        assert not is_over
        assert 0.35 < took < 2

    def test_nobody_waits_where_all_places_are_taken(
        self, job: FakeJob, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(1))
        first = later(0, lambda: waiting.wait_for(job, 1))
        time.sleep(0.3)
        is_over, took = waited(job, 10)
        assert not is_over
        assert took < 0.5
        first.join()
        assert waited(job, 0.2)[1] >= 0.2, "the place was given back"
