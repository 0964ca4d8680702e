"""What the tests of supervisors share: runs whose trainer does what a script says."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from jobs.models import JobEvent
from projects.models import Project
from tests import factories
from training import process
from training.experience_row import Experience
from training.models import TrainingRun
from training.tasks import run_training

ROOT = Path(__file__).resolve().parents[2]


def assert_whole(run: TrainingRun, wanted: int = 10) -> None:
    """Every epoch once, in metrics and in the story, and the story without gaps."""
    assert list(run.epochs.values_list("epoch", flat=True)) == list(range(1, wanted + 1))
    frames = run.events.filter(type=JobEvent.Type.EPOCH).order_by("seq")
    assert [frame.payload["epoch"] for frame in frames] == list(range(1, wanted + 1))
    numbers = list(run.events.order_by("seq").values_list("seq", flat=True))
    assert numbers == list(range(1, run.last_seq + 1))


class Scripted:
    """Runs a training whose trainer follows a script, and knows what that was told."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self.script = folder / "script.json"

    def begin(self, *starts: dict[str, Any], **options: Any) -> TrainingRun:
        """Make a queued run of ten epochs; one script for each start of its trainer."""
        self.script.write_text(json.dumps(starts or [{}]))
        options = {"epochs": 10, "batch": 8, **options}
        return factories.make_run(self.project, options=options, name="Scripted")

    def work(self, run: TrainingRun) -> TrainingRun:
        """Do one attempt, as the worker's child does."""
        run_training(str(run.pk))
        run.refresh_from_db()
        return run

    def told(self) -> list[dict[str, Any]]:
        """Return the spec of each start so far."""
        lines = self.script.with_suffix(".told").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def log(self, run: TrainingRun) -> str:
        """Return the run's log."""
        frames = run.events.filter(type="log").order_by("seq")
        return "\n".join(frame.payload["text"] for frame in frames)


@pytest.fixture
def committed_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database as threads see it; only what these tests make is removed, which is quick."""
    with django_db_blocker.unblock():
        yield
        Project.objects.all().delete()
        User.objects.all().delete()
        Experience.objects.all().delete()  # belongs to the installation, not to a project
        connection.close()


@pytest.fixture
def scripted(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> Scripted:
    """Makes runs with a scripted trainer; this process is their worker."""
    made = Scripted(factories.make_project(), tmp_path)
    settings.JOB_RENEW_SECONDS = 0.3
    monkeypatch.setattr("jobs.queue.submit", lambda job, **_: None)

    def spawn(
        arguments: list[str], *, config_dir: Path, fd: int | None = None
    ) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.training.scripted_trainer", *arguments]
        return subprocess.Popen(
            [*command, str(made.script)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            pass_fds=() if fd is None else (fd,),
            start_new_session=True,
        )

    monkeypatch.setattr(process, "spawn", spawn)
    return made


@pytest.fixture
def when() -> Iterator[Callable[..., None]]:
    """Do something in a thread as soon as a run has committed an epoch."""
    threads: list[threading.Thread] = []

    def arrange(run: TrainingRun, epoch: int, act: Callable[[], object]) -> None:
        def watch() -> None:
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                if TrainingRun.objects.filter(pk=run.pk, epoch__gte=epoch).exists():
                    act()
                    break
                time.sleep(0.02)
            connection.close()

        threads.append(threading.Thread(target=watch))
        threads[-1].start()

    yield arrange
    for thread in threads:
        thread.join(timeout=100)
