"""Real training workers side by side: each takes what its card may, and keeps no other waiting."""

import time
from itertools import pairwise
from typing import Any

import pytest

from jobs import queue
from jobs.states import Status
from jobs.worker_rows import Worker
from projects.models import Project
from tests.factories import make_dataset, make_run, make_version
from tests.jobs.conftest import wait_for
from tests.services.programs import Program, Programs
from training.models import TrainingRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _leases_as_in_the_programs(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 2.0


@pytest.fixture
def version(project: Project) -> Any:
    return make_version(make_dataset(project))


def start(programs: Programs, kind: str, **more: Any) -> Program:
    """Start a training worker and wait until its row says how it stands."""
    workers = {"training": f"tests.training.fleet.{kind}"}
    worker = programs.worker("training", JOB_WORKERS=workers, **more)
    wait_for(lambda: (row := row_of(worker)) and row.state != "starting")
    return worker


def row_of(worker: Program) -> Any:
    rows = Worker.objects.with_standing()
    return next((row for row in rows if f".{worker.pid}." in row.name), None)


def submitted(version: Any, *, epochs: int = 1, **fields: Any) -> TrainingRun:
    run = make_run(dataset_version=version, options={"epochs": epochs}, **fields)
    queue.submit(run)
    return run


def wait_for_end(*runs: TrainingRun, seconds: float = 20.0) -> None:
    ids = [run.pk for run in runs]
    rows = TrainingRun.objects.filter(pk__in=ids, status=Status.SUCCEEDED)
    wait_for(lambda: rows.count() == len(ids), seconds)
    for run in runs:
        run.refresh_from_db()


def test_each_takes_what_its_card_may_and_the_bell_is_passed_on(
    programs: Programs, version: Any
) -> None:
    on_cpu = start(programs, "QuickWorker")
    time.sleep(0.5)  # it has waited for the bell longest, and is called first
    on_t4 = start(programs, "T4Worker")
    time.sleep(0.5)
    assert (row_of(on_cpu).gpu_class, row_of(on_t4).gpu_class) == ("cpu", "t4")
    first = submitted(version, gpu_class="t4")
    began = time.monotonic()
    wait_for_end(first)
    # Neither the reconciler, which does not run, nor a look of its own after 5 seconds.
    assert time.monotonic() - began < 4
    nobodys = submitted(version, gpu_class="a100")
    mixed = [submitted(version, gpu_class=name) for name in ("t4", "cpu", "", "cpu", "t4", "")]
    wait_for_end(*mixed)
    for run in (first, *mixed):
        assert run.gpu_class in {"", row_of_name(run.worker).gpu_class}
    nobodys.refresh_from_db()
    assert (nobodys.status, nobodys.attempt) == (Status.QUEUED, 0)


def row_of_name(name: str) -> Worker:
    return Worker.objects.get(name=name)


def test_what_no_bell_rang_for_is_found_all_the_same(programs: Programs, version: Any) -> None:
    start(programs, "QuickWorker")
    silent = [make_run(dataset_version=version, options={"epochs": 1}) for _ in range(3)]
    began = time.monotonic()
    wait_for_end(*silent)
    assert time.monotonic() - began < 12


def test_a_card_without_kernels_claims_nothing_and_one_card_has_one_worker(
    programs: Programs, version: Any
) -> None:
    refusing = start(programs, "K80Worker")
    row = row_of(refusing)
    assert (row.standing, row.reason["code"]) == ("refused", "card_unsupported")
    run = submitted(version)
    time.sleep(1.5)
    run.refresh_from_db()
    assert (run.status, run.attempt) == (Status.QUEUED, 0)
    assert queue.rq_queue("training").get_job_ids() == [queue.delivery_id(run)]

    first = start(programs, "T4Worker")
    wait_for_end(run)
    second = start(programs, "T4Worker")
    assert row_of(second).standing == "waiting"
    # It is busy for a moment longer than its run.
    wait_for(lambda: row_of(first).standing == "idle")
    later = submitted(version)
    wait_for_end(later)
    assert f".{first.pid}." in later.worker
    first.kill()
    wait_for(lambda: row_of(second).standing == "idle")
    last = submitted(version)
    wait_for_end(last)
    assert f".{second.pid}." in last.worker


def test_the_limit_of_a_project_holds_and_its_end_is_noticed(
    programs: Programs, version: Any, settings: Any
) -> None:
    settings.PROJECT_RUNS = 1
    for _ in range(2):
        start(programs, "QuickWorker", PROJECT_RUNS=1)
    runs = [submitted(version, epochs=5) for _ in range(3)]
    most = 0
    ids = [run.pk for run in runs]
    done = TrainingRun.objects.filter(pk__in=ids, status=Status.SUCCEEDED)
    deadline = time.monotonic() + 20
    while done.count() < 3:
        most = max(most, TrainingRun.objects.held().count())
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert most == 1
    began = sorted(TrainingRun.objects.filter(pk__in=ids), key=lambda run: str(run.started_at))
    for before, after in pairwise(began):
        assert (after.started_at - before.finished_at).total_seconds() < 2
