"""A worker with nothing to do has a trainer ready, and the next run is trained by that very one."""

from pathlib import Path

import psutil
import pytest
from django.conf import settings

from accounts.models import User
from jobs.states import TERMINAL, Status
from projects.models import Project
from tests.jobs.conftest import wait_for
from tests.services.programs import Programs
from tests.training.data import SIDE, imported_version
from training import services
from training.models import TrainingRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def spare() -> psutil.Process | None:
    """Return the trainer that waits at a socket of this test's installation, or works already."""
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if "--listen" in line and Path(line[-1]).is_relative_to(settings.SOCKET_DIR):
                return process
        except psutil.Error:
            continue
    return None


def has_run(process: psutil.Process) -> bool:
    """A trainer at work has changed into the folder of its run."""
    try:
        return "training-runs-" in process.cwd()
    except psutil.Error:
        return False


def test_each_run_is_trained_by_the_spare_of_its_worker(
    project: Project, owner: User, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = imported_version(project, owner, monkeypatch)
    programs.worker("training")
    used = []
    for seed in range(2):  # the second spare is started when the first run has ended
        ready = wait_for(spare, 30)
        assert not has_run(ready)
        run = services.start_run(
            project=project,
            user=owner,
            dataset_version=version,
            base_model="yolo26n-scratch",
            options={"epochs": 2, "patience": 0, "imgsz": SIDE, "batch": 8, "seed": seed},
        )
        wait_for(lambda ready=ready: has_run(ready), 60)
        rows = TrainingRun.objects.filter(pk=run.pk)
        wait_for(lambda rows=rows: rows.filter(status__in=TERMINAL).exists(), 90)
        assert rows.get().status == Status.SUCCEEDED, rows.get().error
        wait_for(lambda ready=ready: not ready.is_running(), 20)
        used.append(ready.pid)
    assert len(set(used)) == 2
