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
        quarantine._file().unlink()
    wait_for(lambda: status_of(run) != Status.QUEUED, seconds=30)


def test_leaves_at_once_when_it_is_told_to(programs: Programs) -> None:
    quarantine.quarantine("disk_full")
    try:
        worker = programs.worker("training")
        time.sleep(1.5)
        worker.terminate()
        assert worker.wait(timeout=10) == 0
    finally:
        quarantine._file().unlink()
