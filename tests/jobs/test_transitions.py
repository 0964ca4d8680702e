"""Who may write what about a job, and when."""

import contextlib
import itertools
import random
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from jobs import transitions
from jobs.errors import LeaseLost, UserError
from jobs.models import NO_LEASE
from jobs.states import SOURCES, TERMINAL, Status
from jobs.transitions import append, claim, fenced, move, renew, request_cancel, take_back
from tests.fake_jobs.models import FakeEpoch, FakeEvent, FakeJob
from tests.jobs.conftest import assert_story_is_whole


def claimed(job: FakeJob, worker: str = "w1") -> FakeJob:
    mine = claim(FakeJob, job.pk, worker=worker)
    assert mine is not None
    return mine


def expire(job: FakeJob) -> None:
    FakeJob.objects.filter(pk=job.pk).update(lease_until=NO_LEASE)


def in_threads(count: int, call) -> list:
    results: list = []

    def run() -> None:
        try:
            results.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count
    return results


class TestTheSameAttemptGivenOutTwice:
    """A database put back to an older state does that."""

    def test_belongs_to_the_second_worker_alone(self, job):
        before = FakeJob.objects.filter(pk=job.pk).values().get()
        first = claimed(job, "w1")
        FakeJob.objects.filter(pk=job.pk).update(**before)
        FakeEvent.objects.filter(job=job, seq__gt=before["last_seq"]).delete()
        second = claimed(job, "w2")
        assert first.attempt == second.attempt
        assert not renew(first)
        with pytest.raises(LeaseLost):
            append(first, [("log", {"text": "stale"})])
        assert not transitions.finish(first, Status.SUCCEEDED)
        assert take_back(first) is None
        assert renew(second)
        assert transitions.finish(second, Status.SUCCEEDED)
        assert_story_is_whole(job)


class TestClaim:
    def test_of_twenty_at_once_one_wins(self, job):
        won = [r for r in in_threads(20, lambda: claim(FakeJob, job.pk, worker="w")) if r]
        assert len(won) == 1
        job.refresh_from_db()
        assert (job.status, job.attempt) == (Status.RUNNING, 1)
        assert_story_is_whole(job)

    def test_takes_a_lease_by_the_clock_of_the_database(self, job, settings):
        settings.JOB_LEASE_SECONDS = 60.0
        mine = claimed(job)
        with connection.cursor() as cursor:
            is_sqlite = connection.vendor == "sqlite"
            cursor.execute("SELECT datetime('now')" if is_sqlite else "SELECT now()::text")
            now = cursor.fetchone()[0]
        left = mine.lease_until.replace(tzinfo=None).isoformat(" ")
        assert left > now
        assert not FakeJob.objects.filter(pk=job.pk).silent().exists()
        expire(job)
        assert FakeJob.objects.filter(pk=job.pk).silent().exists()

    def test_a_lease_of_a_second_ends_after_a_second(self, job, settings):
        settings.JOB_LEASE_SECONDS = -1.0
        claimed(job)
        assert FakeJob.objects.filter(pk=job.pk).silent().exists()
        settings.JOB_LEASE_SECONDS = 1.0
        job.refresh_from_db()
        assert renew(job)
        assert not FakeJob.objects.filter(pk=job.pk).silent().exists()

    def test_nothing_to_claim_of_a_job_that_is_gone(self, job):
        FakeJob.objects.all().delete()
        assert claim(FakeJob, job.pk, worker="w1") is None

    def test_a_running_job_is_not_claimed_again(self, job):
        claimed(job)
        assert claim(FakeJob, job.pk, worker="w2") is None

    def test_a_newer_specification_is_left_to_newer_workers(self, job):
        FakeJob.objects.update(spec_version=FakeJob.newest_spec + 1)
        assert claim(FakeJob, job.pk, worker="w1") is None
        job.refresh_from_db()
        assert job.status == Status.QUEUED

    def test_started_at_is_the_first_start(self, job):
        first = claimed(job).started_at
        take_back(claimed_again := FakeJob.objects.get(pk=job.pk))
        assert claimed(claimed_again).started_at == first


class TestLease:
    def test_can_never_be_null(self, job):
        with pytest.raises(IntegrityError), transaction.atomic():
            FakeJob.objects.filter(pk=job.pk).update(lease_until=None)

    def test_may_be_renewed_after_it_ran_out(self, job):
        mine = claimed(job)
        expire(job)
        assert renew(mine)

    def test_may_not_be_renewed_once_taken_back(self, job):
        mine = claimed(job)
        take_back(FakeJob.objects.get(pk=job.pk))
        assert not renew(mine)

    def test_from_before_the_clock_was_set_back_has_run_out(self, job):
        claimed(job)
        ahead = F("lease_until") + timedelta(hours=1)
        FakeJob.objects.filter(pk=job.pk).update(lease_until=ahead)
        (silent,) = FakeJob.objects.silent()
        assert take_back(silent, only_if_expired=True) == Status.QUEUED

    def test_a_renewed_one_is_not_taken_back_as_silent(self, job):
        mine = claimed(job)
        expire(job)
        seen = FakeJob.objects.get(pk=job.pk)
        renew(mine)
        assert take_back(seen, only_if_expired=True) is None
        assert renew(mine)


class TestAnOldAttempt:
    """It was frozen; meanwhile its job was taken back, and perhaps claimed by another."""

    @pytest.fixture(params=["queued again", "claimed again", "ended"])
    def old(self, request, job) -> FakeJob:
        mine = claimed(job)
        take_back(FakeJob.objects.get(pk=job.pk))
        if request.param != "queued again":
            new = claimed(job, "w2")
        if request.param == "ended":
            transitions.finish(new, Status.SUCCEEDED)
        return mine

    @pytest.fixture(autouse=True)
    def nothing_changes(self, old):
        before = FakeJob.objects.filter(pk=old.pk).values().get()
        yield
        assert FakeJob.objects.filter(pk=old.pk).values().get() == before
        assert FakeEpoch.objects.count() == 0
        assert_story_is_whole(FakeJob.objects.get(pk=old.pk))

    def test_renews_no_lease(self, old):
        assert not renew(old)

    def test_appends_nothing(self, old):
        with pytest.raises(LeaseLost):
            append(old, [("log", {"text": "late"})], progress={"done": 9})

    def test_writes_no_result(self, old):
        with pytest.raises(LeaseLost), fenced(old):
            FakeEpoch.objects.create(job=old, epoch=1, attempt=old.attempt)

    @pytest.mark.parametrize("to", [Status.SUCCEEDED, Status.FAILED, Status.CANCELED])
    def test_ends_nothing(self, old, to):
        assert not transitions.finish(old, to)

    def test_stops_nothing(self, old):
        assert not move(old, Status.STOPPING)

    def test_takes_nothing_back(self, old):
        assert take_back(old) is None


class TestFenced:
    def test_rolls_back_what_was_written_before_the_work_failed(self, job):
        mine = claimed(job)
        with pytest.raises(ZeroDivisionError), fenced(mine, losses=5):
            FakeEpoch.objects.create(job=mine, epoch=1, attempt=1)
            _ = 1 / 0
        assert FakeEpoch.objects.count() == 0
        job.refresh_from_db()
        assert job.losses == 0

    def test_writes_fields_of_the_job_along(self, job):
        mine = claimed(job)
        with fenced(mine, losses=2):
            pass
        job.refresh_from_db()
        assert job.losses == 2


class TestCancel:
    def test_ends_a_waiting_job_at_once(self, job):
        request_cancel(job)
        assert job.status == Status.CANCELED
        assert job.finished_at is not None
        assert claim(FakeJob, job.pk, worker="w1") is None

    def test_leaves_a_wish_for_a_running_one(self, job):
        claimed(job)
        request_cancel(job)
        assert job.status == Status.RUNNING
        assert job.cancel_requested_at is not None

    def test_twice_keeps_the_first_wish(self, job):
        claimed(job)
        request_cancel(job)
        first = job.cancel_requested_at
        request_cancel(job)
        assert job.cancel_requested_at == first

    @pytest.mark.parametrize("ended", [Status.SUCCEEDED, Status.FAILED, Status.CANCELED])
    def test_of_an_ended_job_is_refused(self, job, ended):
        transitions.finish(claimed(job), ended)
        with pytest.raises(UserError) as refused:
            request_cancel(job)
        assert refused.value.code == "not_active"

    def test_a_stale_row_in_hand_does_not_matter(self, job):
        stale = FakeJob.objects.get(pk=job.pk)
        claimed(job)
        request_cancel(stale)
        assert stale.status == Status.RUNNING
        assert stale.cancel_requested_at is not None

    def test_against_an_end_at_the_same_time_leaves_one_truth(self, transactional_db):
        for round_ in range(15):
            job = FakeJob.objects.create()
            mine = claimed(job)

            def cancel(job=job) -> str:
                try:
                    request_cancel(FakeJob.objects.get(pk=job.pk))
                except UserError as refused:
                    return refused.code
                return "wished"

            def end(mine=mine) -> str:
                return "ended" if transitions.finish(mine, Status.SUCCEEDED) else "lost"

            calls = iter([cancel, end] if round_ % 2 else [end, cancel])
            results = in_threads(2, lambda calls=calls: next(calls)())
            job.refresh_from_db()
            assert "ended" in results
            assert job.status == Status.SUCCEEDED
            assert ("wished" in results) == (job.cancel_requested_at is not None)
            assert_story_is_whole(job)


class TestTakeBack:
    def test_counts_the_loss(self, job):
        assert take_back(claimed(job)) == Status.QUEUED
        job.refresh_from_db()
        assert (job.losses, job.worker, job.lease_until) == (1, "", NO_LEASE)

    def test_a_drained_one_loses_nothing(self, job):
        assert take_back(claimed(job), counts_as_loss=False) == Status.QUEUED
        job.refresh_from_db()
        assert job.losses == 0

    def test_keeps_its_place_before_those_who_came_later(self, job):
        mine = claimed(job)
        later = FakeJob.objects.create()
        take_back(mine)
        job.refresh_from_db()
        assert job.queued_at < later.queued_at

    def test_the_third_loss_in_a_row_fails(self, job):
        for expected in (Status.QUEUED, Status.QUEUED, Status.FAILED):
            assert take_back(claimed(job)) == expected
        job.refresh_from_db()
        assert job.error == {"code": "worker_lost", "params": {"losses": 3}}
        assert job.finished_at is not None

    def test_progress_between_losses_starts_the_count_again(self, job):
        for _ in range(5):
            mine = claimed(job)
            with fenced(mine, losses=0):
                pass
            assert take_back(mine) == Status.QUEUED

    def test_a_wish_to_cancel_that_came_meanwhile_is_heard(self, job):
        mine = claimed(job)
        request_cancel(FakeJob.objects.get(pk=job.pk))
        assert take_back(mine) == Status.CANCELED

    @pytest.mark.parametrize("ended", [Status.FAILED, Status.CANCELED, Status.SUCCEEDED])
    def test_an_ended_job_is_not_revived(self, job, ended):
        """The reconciler read the row, was stopped, and goes on after the job's end."""
        mine = claimed(job)
        seen = FakeJob.objects.get(pk=job.pk)
        transitions.finish(mine, ended)
        assert take_back(seen) is None
        job.refresh_from_db()
        assert job.status == ended


class TestRequeue:
    @pytest.mark.parametrize("ended", [Status.FAILED, Status.CANCELED])
    def test_a_failed_or_canceled_job_starts_with_a_clean_slate(self, job, ended):
        mine = claimed(job)
        FakeJob.objects.update(losses=2, cancel_requested_at=F("created_at"))
        transitions.finish(mine, ended, error=UserError("internal", incident="x").as_row())
        transitions.requeue(mine)
        job.refresh_from_db()
        assert (job.status, job.losses, job.error) == (Status.QUEUED, 0, None)
        assert job.cancel_requested_at is None
        assert job.finished_at is None
        assert claimed(job).attempt == 2

    def test_a_job_that_runs_or_succeeded_is_refused(self, job):
        mine = claimed(job)
        for _ in range(2):
            with pytest.raises(UserError) as refused:
                transitions.requeue(mine)
            assert refused.value.code == "not_resumable"
            transitions.finish(mine, Status.SUCCEEDED)

    def test_twice_at_once_queues_once(self, job):
        transitions.finish(claimed(job), Status.FAILED)
        job.refresh_from_db()

        def requeue() -> bool:
            try:
                transitions.requeue(FakeJob.objects.get(pk=job.pk))
            except UserError:
                return False
            return True

        assert sorted(in_threads(4, requeue)) == [False, False, False, True]
        assert_story_is_whole(job)


class TestTheStory:
    def test_is_without_gap_and_repeat_under_many_writers(self, job):
        mine = claimed(job)

        def write() -> None:
            for number in range(10):
                append(mine, [("log", {"text": str(number)})] * 3)
                with fenced(mine):
                    append(mine, [("epoch", {"epoch": number})])

        in_threads(4, write)
        job.refresh_from_db()
        assert job.last_seq == 1 + 4 * 10 * 4
        assert_story_is_whole(job)

    def test_holds_what_no_database_takes(self, job):
        append(claimed(job), [("log", {"text": "a\0b\udc80c", "loss": float("nan"), "n": [1e999]})])
        payload = FakeEvent.objects.filter(type="log").get().payload
        assert payload == {"text": "ab?c", "loss": None, "n": [None]}

    def test_tells_every_status(self, job):
        mine = claimed(job)
        move(mine, Status.STOPPING)
        transitions.finish(mine, Status.FAILED, error={"code": "internal", "params": {}})
        told = [e.payload for e in FakeEvent.objects.filter(type="status").order_by("seq")]
        assert [t["status"] for t in told] == ["running", "stopping", "failed"]
        assert told[-1]["error"]["code"] == "internal"

    def test_a_number_cannot_be_used_twice(self, job):
        claimed(job)
        with pytest.raises(IntegrityError), transaction.atomic():
            FakeEvent.objects.create(job=job, seq=1, type="log")


class TestAnyInterleaving:
    """Workers, people and reconcilers at once, each with a row that may be old."""

    def test_follows_the_rules_and_leaves_a_whole_story(self, transactional_db):
        for seed in range(40):
            job = FakeJob.objects.create()
            choices = random.Random(seed)
            plans = [[choices.choice(MOVES) for _ in range(5)] for _ in range(4)]
            plans[0].insert(0, claim_it)
            in_threads(len(plans), iter_calls(plans, job))
            job.refresh_from_db()
            assert_story_is_whole(job)
            told = FakeEvent.objects.filter(job=job, type="status").order_by("seq")
            moves = [event for event in told if "is_paused" not in event.payload]
            statuses = [Status.QUEUED, *(Status(event.payload["status"]) for event in moves)]
            for before, after in itertools.pairwise(statuses):
                assert before in SOURCES[after], f"{before} -> {after}, seed {seed}"
            assert statuses[-1] == job.status
            assert_nobody_claims_what_lies_aside(told)
            attempts = [event.payload["attempt"] for event in told]
            assert attempts == sorted(attempts)
            claims = [e.payload["attempt"] for e in moves if e.payload["status"] == Status.RUNNING]
            assert claims == list(range(1, len(claims) + 1))


def assert_nobody_claims_what_lies_aside(told) -> None:
    is_paused = False
    for payload in (event.payload for event in told):
        if payload["status"] in TERMINAL:
            is_paused = False
        assert not (is_paused and payload["status"] == Status.RUNNING and is_claim(payload))
        is_paused = payload.get("is_paused", is_paused)


def is_claim(payload) -> bool:
    return "is_paused" not in payload


def claim_it(job: FakeJob) -> None:
    claim(FakeJob, job.pk, worker="w")


def finish_it(job: FakeJob) -> None:
    transitions.finish(job, Status.SUCCEEDED)


def fail_it(job: FakeJob) -> None:
    transitions.finish(job, Status.FAILED)


def stop_it(job: FakeJob) -> None:
    move(job, Status.STOPPING)


def tell_it(job: FakeJob) -> None:
    with contextlib.suppress(LeaseLost):
        append(job, [("log", {"text": "x"})])


def cancel_it(job: FakeJob) -> None:
    with contextlib.suppress(UserError):
        request_cancel(job)


def requeue_it(job: FakeJob) -> None:
    with contextlib.suppress(UserError):
        transitions.requeue(job)


def pause_it(job: FakeJob) -> None:
    with contextlib.suppress(UserError):
        transitions.request_pause(job)


def end_pause_of_it(job: FakeJob) -> None:
    with contextlib.suppress(UserError):
        transitions.end_pause(job)


MOVES = [
    *(claim_it, claim_it, finish_it, fail_it, stop_it, tell_it, cancel_it, take_back, requeue_it),
    *(pause_it, end_pause_of_it),
]


def iter_calls(plans: list[list], job: FakeJob):
    """Return a call that does the next of some plans, each on rows that it read in between."""
    waiting = iter(plans)

    def do_one() -> None:
        row = job
        for number, step in enumerate(next(waiting)):
            row = FakeJob.objects.get(pk=job.pk) if number % 2 == 0 else row
            step(row)

    return do_one


class TestTheDatabaseItself:
    def test_knows_no_other_status(self, job):
        with pytest.raises(IntegrityError), transaction.atomic():
            FakeJob.objects.filter(pk=job.pk).update(status="done")

    def test_knows_no_end_without_a_time(self, job):
        with pytest.raises(IntegrityError), transaction.atomic():
            FakeJob.objects.filter(pk=job.pk).update(status=Status.SUCCEEDED)

    def test_leases_are_compared_as_times(self, job):
        FakeJob.objects.update(status=Status.RUNNING, lease_until=transitions.lease_end())
        job.refresh_from_db()
        assert abs(job.lease_until - job.created_at) < timedelta(seconds=90)
