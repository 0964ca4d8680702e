"""A job that a person lays aside: its worker leaves it, and nobody takes it until they say so."""

import pytest
from django.db.models import F
from django.utils import timezone

from jobs import queue, reconcile, transitions
from jobs.errors import UserError
from jobs.states import Status
from tests.fake_jobs.models import FakeEvent, FakeJob
from tests.jobs.conftest import (
    assert_epochs_are_whole,
    assert_story_is_whole,
    running_child,
    submitted,
    wait_for,
    wait_for_status,
)
from tests.services.programs import Programs, children


def claimed(job: FakeJob) -> FakeJob:
    mine = transitions.claim(FakeJob, job.pk, worker="w1")
    assert mine is not None
    return mine


def told(job: FakeJob) -> list[tuple[str, bool | None]]:
    frames = FakeEvent.objects.filter(job=job, type="status").order_by("seq")
    return [(f.payload["status"], f.payload.get("is_paused")) for f in frames]


class TestAWaitingJob:
    def test_is_neither_delivered_nor_claimed_until_the_pause_ends(self, job, valkey):
        FakeJob.objects.update(queued_at="2026-01-01T00:00Z")
        transitions.request_pause(job)
        assert job.is_paused
        assert reconcile.reconcile().delivered == 0
        assert transitions.claim(FakeJob, job.pk, worker="w1") is None
        transitions.end_pause(job)
        assert not job.is_paused
        assert reconcile.reconcile().delivered == 1
        assert claimed(job).attempt == 1
        assert told(job) == [("queued", True), ("queued", False), ("running", None)]
        assert_story_is_whole(job)

    def test_comes_before_those_who_came_after_it_had_waited_as_long(self, job):
        """An hour's pause: who came in that hour and waited longer than we had is before us."""
        now = timezone.now()
        hours = {"job": 3, "before": 2, "after": 0.5}
        before, after = FakeJob.objects.create(), FakeJob.objects.create()
        for row, name in ((job, "job"), (before, "before"), (after, "after")):
            queued_at = now - timezone.timedelta(hours=hours[name])
            FakeJob.objects.filter(pk=row.pk).update(queued_at=queued_at)
        transitions.request_pause(job)
        FakeJob.objects.filter(pk=job.pk).update(paused_at=now - timezone.timedelta(hours=1.5))
        transitions.end_pause(job)
        order = list(FakeJob.objects.order_by("queued_at").values_list("pk", flat=True))
        assert order == [before.pk, job.pk, after.pk]

    def test_that_is_canceled_ends_at_once_and_lies_aside_no_more(self, job):
        transitions.request_pause(job)
        queue.cancel(job)
        assert (job.status, job.paused_at) == (Status.CANCELED, None)
        queue.retry(job)
        assert claimed(job)

    def test_twice_is_once(self, job):
        transitions.request_pause(job)
        first = job.paused_at
        transitions.request_pause(job)
        assert job.paused_at == first
        transitions.end_pause(job)
        with pytest.raises(UserError) as refused:
            transitions.end_pause(job)
        assert refused.value.code == "not_resumable"
        assert len(told(job)) == 2


class TestWhatCannotBeLaidAside:
    @pytest.mark.parametrize("ended", [Status.SUCCEEDED, Status.FAILED, Status.CANCELED])
    def test_what_has_ended(self, job, ended):
        transitions.finish(claimed(job), ended)
        with pytest.raises(UserError) as refused:
            transitions.request_pause(job)
        assert refused.value.code == "not_active"

    def test_what_is_about_to_end(self, job):
        mine = claimed(job)
        queue.cancel(FakeJob.objects.get(pk=job.pk))
        with pytest.raises(UserError) as refused:
            transitions.request_pause(job)
        assert refused.value.code == "ending"
        FakeJob.objects.update(cancel_requested_at=None)
        transitions.move(mine, Status.STOPPING)
        with pytest.raises(UserError) as refused:
            transitions.request_pause(job)
        assert refused.value.code == "ending"


class TestARunningJob:
    def test_leaves_its_worker_and_goes_on_where_it_was(self, programs: Programs):
        programs.reconciler()
        job = submitted(wanted=20, pause=0.1)
        worker = programs.worker()
        running_child(job, worker)
        transitions.request_pause(job)
        assert job.is_pausing
        wait_for_status(job, Status.QUEUED, seconds=5)
        wait_for(lambda: not children(worker.pid))
        other = submitted(wanted=1)
        wait_for_status(other, Status.SUCCEEDED)  # its worker is free for others
        FakeJob.objects.update(queued_at=F("queued_at") - timezone.timedelta(minutes=1))
        job.refresh_from_db()
        reached = job.epochs.count()
        assert (job.is_paused, job.losses, job.worker) == (True, 0, "")
        assert 0 < reached < 20
        transitions.end_pause(job)
        queue.submit(job)
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 2
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)

    def test_whose_pause_ends_before_its_worker_has_left_goes_on_by_itself(self, programs):
        job = submitted(wanted=20, pause=0.1)
        worker = programs.worker()
        running_child(job, worker)
        transitions.request_pause(job)
        transitions.end_pause(job)
        wait_for_status(job, Status.SUCCEEDED)
        assert_epochs_are_whole(job)

    def test_stays_aside_where_its_worker_dies_before_it_left(self, job):
        mine = claimed(job)
        transitions.request_pause(job)
        assert transitions.take_back(mine) == Status.QUEUED
        job.refresh_from_db()
        assert job.is_paused
        assert transitions.claim(FakeJob, job.pk, worker="w2") is None

    def test_that_ends_meanwhile_has_ended(self, job):
        mine = claimed(job)
        transitions.request_pause(job)
        transitions.finish(mine, Status.SUCCEEDED)
        job.refresh_from_db()
        assert (job.status, job.paused_at) == (Status.SUCCEEDED, None)
