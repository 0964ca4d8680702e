"""What the tests of detections share: a model that finds one can on each picture."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detection.tasks import run_detection, run_evaluation
from jobs.models import Job
from projects.models import Project
from tests.factories import make_model
from training.models import TrainedModel

ROOT = Path(__file__).resolve().parents[2]
REAL_WEIGHTS = ROOT.parent / "shared" / "data" / "weights" / "yolo11n.pt"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Weights that find one can as large as the picture (weights.py)."""
    path = tmp_path_factory.mktemp("weights") / "can.pt"
    subprocess.run([sys.executable, "-m", "tests.detection.weights", path], cwd=ROOT, check=True)
    return path.read_bytes()


@pytest.fixture
def model(project: Project, weights: bytes) -> TrainedModel:
    """These weights, registered in `project` and in use."""
    return make_model(project, weights=weights, stage=TrainedModel.Stage.PRODUCTION)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait in the database; the test does their work itself."""
    monkeypatch.setattr("jobs.queue.deliver", lambda job, **_: True)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are done as soon as they are queued, as by a worker that is free and very fast."""
    tasks: dict[str, Any] = {"detections": run_detection, "evaluations": run_evaluation}

    def deliver(job: Job, **_: Any) -> bool:
        tasks[job.slug](str(job.pk))
        return True

    monkeypatch.setattr("jobs.queue.deliver", deliver)
