"""Wishes at any moment of a job's life: it ends one way and never two, soon, and keeps its epochs.

CANCEL_RACES changes how many interleavings are drawn, and CHAOS_SEED which.
"""

import contextlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from jobs import queue, transitions
from jobs.errors import UserError
from jobs.reporter import Reporter
from jobs.runner import Commit, run_job
from jobs.states import TERMINAL, Status
from tests.fake_jobs.models import FakeEvent, FakeJob
from tests.fake_jobs.tasks import commit_epoch
from tests.jobs.conftest import assert_story_is_whole

RACES = int(os.environ.get("CANCEL_RACES", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "20261127"))
AT_ONCE = 6
EPOCHS = 4
#: From the first wish to cancel to the end of the job, with the keeper of these tests.
SOON = 5.0


class Race:
    """One job, its worker, and people who want something of it at random moments."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.job = FakeJob.objects.create(wanted=EPOCHS)
        self.results = 0
        self.wished_at: float | None = None

    def run(self) -> str:
        """Work and wish at once, and return how it ended."""
        worker = threading.Thread(target=self._in_thread, args=(self._work_on,))
        people = [
            threading.Thread(target=self._in_thread, args=(self._wish,))
            for _ in range(self.chance.randint(1, 3))
        ]
        for thread in (worker, *people):
            thread.start()
        for thread in (worker, *people):
            thread.join()
        self.job.refresh_from_db()
        return str(self.job.status)

    def _in_thread(self, call: Callable[[], None]) -> None:
        try:
            call()
        finally:
            connection.close()

    def _work_on(self) -> None:
        time.sleep(self.chance.uniform(0, 0.2))  # it waits in the queue
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            run_job(FakeJob, str(self.job.pk), self._work)
            row = FakeJob.objects.get(pk=self.job.pk)
            if row.status in TERMINAL:
                return
            if row.is_paused:
                with contextlib.suppress(UserError):
                    transitions.end_pause(row)

    def _work(self, job: FakeJob, reporter: Reporter) -> Commit:
        self._pause(reporter)
        for epoch in range(job.epochs.count() + 1, job.wanted + 1):
            self._pause(reporter)
            commit_epoch(job, epoch)
        time.sleep(self.chance.uniform(0, 0.1))  # what cannot be broken off
        return self._register

    def _pause(self, reporter: Reporter) -> None:
        until = time.monotonic() + self.chance.uniform(0, 0.1)
        while time.monotonic() < until:
            reporter.raise_if_cancelled()
            time.sleep(0.01)
        reporter.raise_if_cancelled()

    def _register(self) -> None:
        self.results += 1

    def _wish(self) -> None:
        time.sleep(self.chance.uniform(0, 0.6))
        wishes = [self._cancel, self._stop, self._lay_aside]
        wish = self.chance.choices(wishes, [3, 1, 1])[0]
        with contextlib.suppress(UserError):
            wish(FakeJob.objects.get(pk=self.job.pk))

    def _cancel(self, job: FakeJob) -> None:
        queue.cancel(job)
        self.wished_at = self.wished_at or time.monotonic()

    def _stop(self, job: FakeJob) -> None:
        transitions.move(job, Status.STOPPING)

    def _lay_aside(self, job: FakeJob) -> None:
        transitions.request_pause(job)

    def check(self) -> None:
        """Assert that the story has one end, and that nothing was lost or written after it."""
        told = FakeEvent.objects.filter(job=self.job).order_by("seq")
        statuses = [e.payload["status"] for e in told if e.type == "status"]
        assert [s for s in statuses if s in TERMINAL] == [self.job.status]
        assert told.last().payload.get("status") == self.job.status
        assert self.results == (self.job.status == Status.SUCCEEDED)
        epochs = list(self.job.epochs.order_by("epoch").values_list("epoch", flat=True))
        assert epochs == list(range(1, len(epochs) + 1))
        assert len(epochs) == EPOCHS or self.job.status == Status.CANCELED
        assert_story_is_whole(self.job)


@pytest.mark.timeout(60 + 2 * RACES)
def test_of_any_interleaving_a_job_has_one_end(settings, capsys):
    settings.JOB_RENEW_SECONDS = 0.1
    ends: Counter[str] = Counter()
    slowest = 0.0

    def race(seed: int) -> tuple[str, float]:
        try:
            drawn = Race(seed)
            end = drawn.run()
            drawn.check()
            took = time.monotonic() - drawn.wished_at if drawn.wished_at else 0.0
            return end, took
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for end, took in pool.map(race, range(SEED, SEED + RACES)):
            ends[end] += 1
            slowest = max(slowest, took)
    assert set(ends) == {Status.CANCELED, Status.SUCCEEDED}
    assert slowest < SOON
    with capsys.disabled():
        print(f"\ncancel races from seed {SEED}: {dict(ends)}, slowest end {slowest:.1f} s")
