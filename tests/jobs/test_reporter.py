"""What the work may tell: lines and progress, bounded, clean, and never twice."""

import threading
import time
from itertools import pairwise

import pytest
from django.db import OperationalError, transaction
from django.utils import translation

from jobs import transitions
from jobs.errors import CancelRequested, Drained, LeaseLost
from jobs.keeper import lease_kept
from jobs.log_lines import LineGate, clean_lines
from jobs.reporter import Reporter
from jobs.states import Status
from jobs.transitions import claim, take_back
from tests.fake_jobs.models import FakeEvent, FakeJob
from tests.jobs.conftest import assert_story_is_whole, wait_for


@pytest.fixture
def reporter(job: FakeJob) -> Reporter:
    return Reporter(claim(FakeJob, job.pk, worker="w1"))


def lines() -> list[str]:
    events = FakeEvent.objects.filter(type="log").order_by("seq")
    return [event.payload["text"] for event in events]


def progress() -> list[dict]:
    return [e.payload for e in FakeEvent.objects.filter(type="progress").order_by("seq")]


class TestLines:
    def test_are_written_in_order_with_the_time_at_which_they_were_told(self, reporter):
        reporter.log("first")
        time.sleep(0.05)
        reporter.log("second", "warning")
        reporter.flush()
        first, second = FakeEvent.objects.filter(type="log").order_by("seq")
        assert (first.payload, second.payload) == (
            {"level": "info", "text": "first"},
            {"level": "warning", "text": "second"},
        )
        assert (second.at - first.at).total_seconds() >= 0.05

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("one\ntwo\r\nthree\rfour", ["one", "two", "three", "four"]),
            ("", [""]),
            ("\x1b[31mred\x1b[0m\x07 \x00bell\ttab", ["red bell\ttab"]),
            ("x" * 20_000, ["x" * 8192, "x" * 8192, "x" * (20_000 - 2 * 8192)]),
            ("half a pair \udc80", ["half a pair ?"]),
            ("Tiếng Việt", ["Tiếng Việt"]),
        ],
    )
    def test_are_clean(self, text, expected):
        assert clean_lines(text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "postgres://me:CANARY@host/db",
            "Authorization: Bearer CANARY-abc",
            "Training-Key: CANARY-abc",
            '{"training-key": "CANARY-abc"}',
            "api_key=CANARY",
            "password: CANARY",
        ],
    )
    def test_hold_no_secret(self, text):
        assert "CANARY" not in clean_lines(text)[0]

    def test_that_look_a_little_like_secrets_stay(self):
        text = "https://example.org/a@b 12 tokens, key 3, a://b:c d@e"
        assert clean_lines(text) == [text]

    def test_are_cleaned_in_linear_time(self):
        for text in (":" * 100_000, "://" * 30_000, "key=" * 25_000, "\x1b[" * 50_000):
            began = time.monotonic()
            clean_lines(text)
            assert time.monotonic() - began < 1.0

    def test_in_a_flood_are_skipped_and_counted(self, reporter):
        with translation.override("en"):
            for number in range(10_000):
                reporter.log(f"line {number}")
            reporter.flush()
            reporter.flush(is_last=True)
        told = lines()
        assert len(told) < 2_500
        assert told[:2] == ["line 0", "line 1"]
        notes = [line for line in told if line.endswith("lines skipped")]
        skipped = sum(int(note.split()[0]) for note in notes)
        assert skipped + len(told) - len(notes) == 10_000
        assert len(notes) < 10
        assert_story_is_whole(reporter.job)

    def test_behind_the_limit_only_the_last_are_kept(self, reporter, monkeypatch):
        gate = LineGate()
        gate._left = 100
        monkeypatch.setattr(reporter, "_gate", gate)
        for number in range(1000):
            reporter.log(f"line {number:05d}")
        reporter.flush()
        assert len(lines()) == 10
        with translation.override("en"):
            reporter.flush(is_last=True)
        told = lines()
        assert told[10] == "790 lines skipped"
        assert told[-1] == "line 00999"
        assert len(told) == 10 + 1 + 200


class TestProgress:
    def test_stands_in_the_row_and_in_the_story(self, reporter, job):
        reporter.progress("train", 3, 12, eta_seconds=4.56)
        reporter.flush()
        job.refresh_from_db()
        expected = {"phase": "train", "done": 3, "total": 12, "percent": 25.0, "eta_seconds": 4.6}
        assert job.progress == expected
        assert progress() == [expected]

    def test_is_written_twice_a_second_but_every_phase_at_once(self, reporter):
        with lease_kept(reporter.job, reporter):
            began = time.monotonic()
            while time.monotonic() - began < 2.5:
                reporter.progress("train", 1, 2)
                time.sleep(0.01)
            reporter.progress("evaluate", 0, 1)
            wait_for(lambda: progress()[-1]["phase"] == "evaluate", 2)
        assert 3 <= len(progress()) <= 7

    def test_that_is_almost_due_does_not_wait_for_a_whole_turn(self, reporter):
        with lease_kept(reporter.job, reporter):
            began = time.monotonic()
            while time.monotonic() - began < 4:
                reporter.progress("train", 1, 2)
                # Wakes the keeper at moments that have nothing to do with the progress.
                reporter.log("line")
                time.sleep(0.13)
        times = [e.at for e in FakeEvent.objects.filter(type="progress").order_by("seq")]
        gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
        assert len(times) >= 5
        assert sorted(gaps)[-2] < 0.8, gaps

    def test_is_written_by_the_work_where_the_keeper_has_no_turn(self, reporter, job):
        reporter.progress("count", 1, 2)
        reporter.flush_if_due()
        reporter.progress("count", 2, 2)
        reporter.flush_if_due()
        job.refresh_from_db()
        assert job.progress["done"] == 1, "not due again so soon"

    def test_never_passes_a_hundred_and_takes_what_is_no_number(self, reporter, job):
        reporter.progress("train", 30, 12, eta_seconds=float("inf"), loss=float("nan"))
        reporter.flush()
        job.refresh_from_db()
        assert job.progress["percent"] == 100.0
        assert job.progress["eta_seconds"] is None
        assert job.progress["loss"] is None


class TestWriting:
    def test_is_refused_to_an_old_attempt_of_everything_it_may_tell(self, reporter, job):
        take_back(FakeJob.objects.get(pk=job.pk))
        reporter.log("late")
        reporter.progress("late", 1, 2)
        with pytest.raises(LeaseLost):
            reporter.flush()
        assert reporter.lost.is_set()
        with pytest.raises(LeaseLost):
            reporter.raise_if_cancelled()
        assert lines() == []
        job.refresh_from_db()
        assert job.progress == {}

    def test_of_what_had_landed_though_the_answer_was_lost_happens_once(self, reporter):
        append = transitions.append

        def append_and_lose_the_answer(*args, **kwargs):
            append(*args, **kwargs)
            monkeypatch.undo()
            raise OperationalError("server closed the connection unexpectedly")

        monkeypatch = pytest.MonkeyPatch()
        monkeypatch.setattr(transitions, "append", append_and_lose_the_answer)
        reporter.log("once")
        with pytest.raises(OperationalError):
            reporter.flush()
        reporter.log("and then")
        reporter.flush()
        assert lines() == ["once", "and then"]
        assert_story_is_whole(reporter.job)

    def test_of_what_had_not_landed_happens_later(self, reporter, monkeypatch):
        def refuse(*_, **__):
            raise OperationalError("connection refused")

        with monkeypatch.context() as patch:
            patch.setattr(transitions, "append", refuse)
            reporter.log("first")
            for _ in range(3):
                with pytest.raises(OperationalError):
                    reporter.flush()
        reporter.log("second")
        reporter.flush()
        assert lines() == ["first", "second"]

    def test_inside_a_transaction_is_refused(self, reporter):
        reporter.log("line")
        with transaction.atomic(), pytest.raises(RuntimeError):
            reporter.flush()

    def test_does_not_lock_up_with_a_transaction_of_the_work(self, reporter, job):
        """The keeper wants the row that the work holds, the work goes on telling."""
        with lease_kept(reporter.job, reporter):
            with transitions.fenced(reporter.job):
                for number in range(100):
                    reporter.log(f"line {number}")
                    reporter.progress("train", number, 100)
                    time.sleep(0.005)
            wait_for(lambda: len(lines()) == 100)
        assert_story_is_whole(job)

    def test_from_many_threads_at_once(self, reporter):
        def tell(name: int) -> None:
            for number in range(50):
                reporter.log(f"{name} {number}")

        with lease_kept(reporter.job, reporter):
            threads = [threading.Thread(target=tell, args=(n,)) for n in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            wait_for(lambda: len(lines()) == 250)
        for name in range(5):
            mine = [line for line in lines() if line.startswith(f"{name} ")]
            assert mine == [f"{name} {n}" for n in range(50)]

    def test_of_the_first_line_after_a_silence_is_quick(self, reporter):
        with lease_kept(reporter.job, reporter):
            time.sleep(1.5)
            began = time.monotonic()
            reporter.log("here I am")
            wait_for(lines, 5)
            assert time.monotonic() - began < 0.6


class TestWishes:
    def test_to_cancel_is_heard_within_seconds(self, reporter, job):
        with lease_kept(reporter.job, reporter):
            transitions.request_cancel(job)
            wait_for(reporter.cancel.is_set, 5)
        with pytest.raises(CancelRequested):
            reporter.raise_if_cancelled()

    def test_to_stop_is_heard_within_seconds(self, reporter, job):
        job.refresh_from_db()
        with lease_kept(reporter.job, reporter):
            assert transitions.move(job, Status.STOPPING)
            wait_for(reporter.stop.is_set, 5)
        reporter.raise_if_cancelled()

    def test_that_the_worker_leaves(self, reporter):
        reporter.drain.set()
        with pytest.raises(Drained):
            reporter.raise_if_cancelled()

    def test_that_the_job_is_gone_is_heard_too(self, reporter):
        FakeEvent.objects.all().delete()
        with lease_kept(reporter.job, reporter):
            FakeJob.objects.all().delete()
            wait_for(reporter.lost.is_set, 5)

    def test_the_lease_is_kept(self, reporter, job, settings):
        settings.JOB_LEASE_SECONDS, settings.JOB_RENEW_SECONDS = 1.0, 0.2
        with lease_kept(reporter.job, reporter):
            until = time.monotonic() + 2.5
            while time.monotonic() < until:
                assert not FakeJob.objects.filter(pk=job.pk).silent().exists()
                time.sleep(0.05)
        wait_for(FakeJob.objects.filter(pk=job.pk).silent().exists, 3)
