"""Redis may be away, hang, forget everything, or be written to by others: rows lose nothing."""

import json
import logging
import os
import pickle
import signal
import time
import zlib
from pathlib import Path

import pytest
from django.db import transaction

from jobs import events, queue
from jobs.reconcile import reconcile
from jobs.states import Status
from tests.fake_jobs.models import FakeJob
from tests.jobs.conftest import (
    assert_epochs_are_whole,
    assert_story_is_whole,
    running_child,
    submitted,
    wait_for,
    wait_for_status,
)
from tests.services.programs import Programs
from tests.services.valkey import Valkey

KILLED_AFTER_THE_COMMIT = """
import os, signal
from jobs import queue
from tests.fake_jobs.models import FakeJob

queue.deliver = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
queue.submit(FakeJob.objects.create())
"""


def age(**fields) -> None:
    """Let all jobs have waited longer than the reconciler's grace."""
    FakeJob.objects.update(queued_at="2026-01-01T00:00Z", **fields)


def waiting() -> list[str]:
    return queue.rq_queue("imports").get_job_ids()


def listed(valkey: Valkey) -> set[tuple[str, str]]:
    """The workers of the queue that RQ's own tools, and our readiness check, know of."""
    with valkey.client() as client:
        keys = client.smembers("rq:workers:imports")
        return {(key.decode(), (client.hget(key, "pid") or b"").decode()) for key in keys}


class TestDelivery:
    def test_comes_after_the_commit(self, valkey):
        with transaction.atomic():
            job = submitted()
            assert waiting() == []
        assert waiting() == [queue.delivery_id(job)]

    def test_is_not_made_for_what_was_rolled_back(self, valkey):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            submitted()
            _ = 1 / 0
        assert waiting() == []

    def test_carries_an_id_and_nothing_else(self, valkey):
        job = submitted()
        raw = valkey.client().hgetall(f"rq:job:{queue.delivery_id(job)}")
        data = json.loads(zlib.decompress(raw[b"data"]))
        assert data == ["tests.fake_jobs.tasks.run_fake", None, [str(job.pk)], {}]
        assert int(raw[b"timeout"]) == -1

    def test_twice_does_the_work_once(self, programs: Programs, valkey):
        job = submitted(wanted=3)
        for number in range(5):
            queue.rq_queue("imports").enqueue_call(
                FakeJob.task, args=(str(job.pk),), job_id=f"copy-{number}"
            )
        programs.worker()
        programs.worker()
        wait_for_status(job, Status.SUCCEEDED)
        wait_for(lambda: not waiting())
        last = submitted(wanted=1)
        wait_for_status(last, Status.SUCCEEDED)
        job.refresh_from_db()
        assert job.attempt == 1
        assert_epochs_are_whole(job)

    def test_leaves_nothing_in_redis_behind(self, programs: Programs, valkey):
        job = submitted(wanted=1)
        programs.worker()
        wait_for_status(job, Status.SUCCEEDED)
        keys = valkey.client().keys("rq:job*") + valkey.client().keys("rq:queue:*")
        assert keys == []

    def test_that_a_killed_web_process_never_made_is_made_by_the_reconciler(self, programs):
        web = programs.manage("shell", "--no-imports", "-c", KILLED_AFTER_THE_COMMIT)
        assert web.wait() == -signal.SIGKILL
        job = FakeJob.objects.get()
        assert waiting() == []
        age()
        programs.reconciler()
        programs.worker()
        wait_for_status(job, Status.SUCCEEDED)

    def test_is_not_repeated_while_it_waits(self, valkey):
        submitted()
        age()
        assert reconcile().delivered == 0
        valkey.client().flushall()
        assert reconcile().delivered == 1
        assert reconcile().delivered == 0

    def test_of_a_fresh_job_is_left_to_its_maker(self, valkey):
        FakeJob.objects.create()
        assert reconcile().delivered == 0


class TestRedisIsAway:
    @pytest.fixture(params=["killed", "frozen"])
    def away(self, request, valkey: Valkey):
        valkey.kill() if request.param == "killed" else valkey.freeze()
        return valkey

    def test_submitting_takes_less_than_a_second_and_delivery_follows(self, away, programs):
        began = time.monotonic()
        job = submitted(wanted=1)
        assert time.monotonic() - began < 1.0
        away.ensure()
        age()
        programs.reconciler()
        programs.worker()
        wait_for_status(job, Status.SUCCEEDED)

    def test_a_run_goes_on_and_so_does_the_queue(self, valkey, programs):
        programs.reconciler()
        job = submitted(wanted=30, pause=0.1)
        worker = programs.worker()
        running_child(job, worker)
        valkey.kill()
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 1
        assert_epochs_are_whole(job)
        assert_story_is_whole(job)
        valkey.restart_empty() if valkey.answers() else valkey.start()
        other = submitted(wanted=1)
        wait_for_status(other, Status.SUCCEEDED)
        assert worker.poll() is None

    def test_restarted_empty_during_a_run_costs_nothing(self, valkey, programs):
        programs.reconciler()
        job = submitted(wanted=20, pause=0.1)
        next_ = submitted(wanted=1)
        worker = programs.worker()
        running_child(job, worker)
        valkey.restart_empty()
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 1
        age()
        wait_for_status(next_, Status.SUCCEEDED)
        assert worker.poll() is None

    def test_restarted_empty_it_knows_its_workers_again(self, valkey, programs):
        idle, busy = programs.worker(), programs.worker()
        wait_for(lambda: len(listed(valkey)) == 2)
        valkey.restart_empty()
        assert listed(valkey) == set()
        wait_for(lambda: len(listed(valkey)) == 2)
        assert {pid for _, pid in listed(valkey)} == {str(idle.pid), str(busy.pid)}

    def test_frozen_while_a_worker_waits_and_thawed(self, valkey, programs):
        programs.reconciler()
        first = submitted(wanted=1)
        worker = programs.worker()
        wait_for_status(first, Status.SUCCEEDED)
        valkey.freeze()
        job = submitted(wanted=1)
        time.sleep(1.0)
        valkey.thaw()
        age()
        wait_for_status(job, Status.SUCCEEDED, seconds=25)
        assert worker.poll() is None

    def test_a_worker_waits_for_it_at_its_start(self, valkey, programs):
        valkey.kill()
        worker = programs.worker()
        time.sleep(1.0)
        assert worker.poll() is None
        valkey.start()
        wait_for_status(submitted(wanted=1), Status.SUCCEEDED)


class TestFlushall:
    def test_of_fifty_waiting_jobs_none_is_lost_and_the_order_kept(self, valkey, programs):
        jobs = [submitted(wanted=0) for _ in range(50)]
        valkey.client().flushall()
        for number, job in enumerate(jobs):
            FakeJob.objects.filter(pk=job.pk).update(queued_at=f"2026-01-01T00:00:{number:02d}Z")
        programs.reconciler()
        programs.worker()
        for job in jobs:
            wait_for_status(job, Status.SUCCEEDED, seconds=30)
        begun = sorted(jobs, key=lambda job: job.started_at)
        assert [job.pk for job in begun] == [job.pk for job in jobs]


class TestWhoeverWritesToRedis:
    """May ring, and nothing more."""

    @pytest.fixture
    def marker(self, tmp_path: Path) -> Path:
        return tmp_path / "ran"

    def push(self, valkey: Valkey, data: bytes, **more: str) -> None:
        now = "2026-11-23T00:00:00.000000Z"
        fields = {"data": data, "created_at": now, "origin": "imports", "status": "queued", **more}
        client = valkey.client()
        client.hset("rq:job:evil", mapping=fields)
        client.rpush("rq:queue:imports", "evil")

    def worker_survives(self, programs: Programs) -> None:
        worker = programs.worker()
        job = submitted(wanted=1)
        wait_for_status(job, Status.SUCCEEDED)
        assert worker.poll() is None

    def test_cannot_have_a_pickle_loaded(self, valkey, programs, marker):
        class Evil:
            def __reduce__(self):
                return os.system, (f"touch {marker}",)

        self.push(valkey, zlib.compress(pickle.dumps((Evil(), None, (), {}))))
        self.worker_survives(programs)
        assert not marker.exists()

    @pytest.mark.parametrize(
        "call",
        [
            '["os.system", null, ["touch MARKER"], {}]',
            '["subprocess.check_call", null, [["touch", "MARKER"]], {}]',
            '["tests.fake_jobs.tasks.run_fake", null, ["touch MARKER"], {}]',
            '["tests.fake_jobs.tasks.run_fake", "os", ["MARKER"], {"a": 1}]',
            '{"not": "a call"}',
            "[]",
        ],
    )
    def test_cannot_name_a_function(self, valkey, programs, marker, call):
        data = call.replace("MARKER", str(marker)).encode()
        self.push(valkey, data, success_callback_name="os.abort", failure_callback_name="os.abort")
        self.worker_survives(programs)
        assert not marker.exists()

    def test_cannot_stop_a_worker(self, valkey, programs):
        worker = programs.worker()
        job = submitted(wanted=10, pause=0.1)
        running_child(job, worker)
        for name in valkey.client().smembers("rq:workers"):
            channel = "rq:pubsub:" + name.decode().removeprefix("rq:worker:")
            valkey.client().publish(channel, '{"command": "kill-horse"}')
            valkey.client().publish(channel, '{"command": "shutdown"}')
        wait_for_status(job, Status.SUCCEEDED)
        assert job.attempt == 1
        assert worker.poll() is None


class TestTheDoorbell:
    def test_names_the_job(self, valkey):
        job = FakeJob.objects.create()
        with valkey.client().pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe(events.CHANNEL)
            wait_for(lambda: valkey.client().pubsub_numsub(events.CHANNEL)[0][1])
            queue.cancel(job)
            message = wait_for(lambda: subscription.get_message(timeout=0.1))
        assert message["data"].decode() == f"fakes/{job.pk}"

    def test_never_holds_up_the_work(self, valkey, monkeypatch, caplog):
        monkeypatch.setattr(events, "_silent_until", 0.0)
        job = FakeJob.objects.create()
        valkey.freeze()
        began = time.monotonic()
        with caplog.at_level(logging.INFO, "jobs.events"):
            for _ in range(200):
                events.ring(job)
        assert time.monotonic() - began < 0.5
        valkey.thaw()
        monkeypatch.setattr(events, "_silent_until", 0.0)
        events.ring(job)
        assert "No doorbells" in caplog.text


def test_a_worker_of_an_older_release_leaves_newer_specifications(programs: Programs):
    job = submitted()
    FakeJob.objects.update(spec_version=FakeJob.newest_spec + 1)
    older = programs.worker()
    wait_for(lambda: not waiting())
    other = submitted(wanted=1)
    wait_for_status(other, Status.SUCCEEDED)
    job.refresh_from_db()
    assert (job.status, job.attempt) == (Status.QUEUED, 0)
    older.send_signal(signal.SIGTERM)
    older.wait()
    FakeJob.objects.update(spec_version=FakeJob.newest_spec)  # the upgrade
    age()
    programs.reconciler()
    programs.worker()
    wait_for_status(job, Status.SUCCEEDED)
