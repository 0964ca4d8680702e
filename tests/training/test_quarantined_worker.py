"""A worker whose GPU or disk failed leaves runs to others until that is over."""

import time
from typing import Any

import pytest

from jobs import queue
from jobs.states import Status
from projects.models import Project
from tests.factories import make_run
from tests.jobs.conftest import wait_for
from tests.services.programs import Programs
from training import quarantine
from training.models import TrainingRun

pytestmark = pytest.mark.django_db(transaction=True)


def status_of(run: TrainingRun) -> Any:
    return TrainingRun.objects.values_list("status", flat=True).get(pk=run.pk)


def test_takes_no_run_and_then_takes_it(project: Project, programs: Programs) -> None:
    quarantine.quarantine("device_failed")
    try:
        run = make_run(project)
        queue.submit(run)
        worker = programs.worker("training")
        wait_for(lambda: queue.rq_queue("training").get_job_ids())
        time.sleep(3.0)
        assert status_of(run) == Status.QUEUED
        assert worker.poll() is None
    finally:
        quarantine._file("device_failed").unlink()
    wait_for(lambda: status_of(run) != Status.QUEUED, seconds=30)


def test_leaves_at_once_when_it_is_told_to(programs: Programs) -> None:
    quarantine.quarantine("disk_full")
    try:
        worker = programs.worker("training")
        time.sleep(1.5)
        worker.terminate()
        assert worker.wait(timeout=10) == 0
    finally:
        quarantine._file("disk_full").unlink()


def test_a_full_disk_is_that_of_the_host_and_a_failed_card_is_one_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    quarantine.quarantine("device_failed")
    files = [quarantine._file("device_failed")]
    try:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        assert quarantine.refusal() is None
        quarantine.quarantine("disk_full")
        files.append(quarantine._file("disk_full"))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
        assert quarantine.refusal() == "disk_full"
    finally:
        for file in files:
            file.unlink()
