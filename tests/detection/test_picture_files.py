"""Files of detections: none stays behind, whatever became of the job or of its model."""

from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from detection import detect, services
from detection.models import Detection, detections_storage
from detection.tasks import run_detection
from jobs import queue
from jobs.models import Job
from jobs.reporter import Reporter
from projects.models import Project
from projects.services import delete_project
from tests.detection.files import sent, stored
from training.models import TrainedModel
from training.services import delete_model

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("waiting")]


@pytest.fixture
def before(model: TrainedModel) -> set[str]:
    """What was stored before the test."""
    return stored()


def start(model: TrainedModel, user: User, pictures: int = 1) -> Detection:
    return services.start_detection(
        project=model.project,
        user=user,
        model=model,
        pictures=[sent(f"{n}.jpg") for n in range(pictures)],
    )


def after_the_first_chunk(monkeypatch: pytest.MonkeyPatch, happens: Any) -> None:
    """Let something happen between the first chunk of pictures and the second."""
    real, chunks = Reporter.raise_if_cancelled, 0

    def raise_if_cancelled(self: Reporter) -> None:
        nonlocal chunks
        chunks += 1
        if chunks == 2:
            happens(self)
        real(self)

    monkeypatch.setattr(Reporter, "raise_if_cancelled", raise_if_cancelled)


def cancel(reporter: Reporter) -> None:
    queue.cancel(reporter.job)
    reporter.cancel.set()


def test_one_that_was_canceled_half_way_goes_with_all_its_files(
    owner: User, model: TrainedModel, before: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    after_the_first_chunk(monkeypatch, cancel)
    job = start(model, owner, pictures=9)
    run_detection(str(job.pk))
    job.refresh_from_db()
    assert job.status == "canceled"
    assert [name for name in stored() - before if name.endswith(".jpg")]

    services.delete_detection(detection=job)

    assert stored() == before


def test_one_that_is_deleted_while_it_runs_leaves_nothing(
    owner: User, model: TrainedModel, before: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete(reporter: Reporter) -> None:
        services.delete_detection(detection=Detection.objects.get(pk=reporter.job.pk))

    after_the_first_chunk(monkeypatch, delete)
    job = start(model, owner, pictures=9)
    run_detection(str(job.pk))
    assert not Detection.objects.exists()
    assert stored() == before


def test_one_that_is_deleted_while_its_last_picture_is_stored_leaves_nothing(
    owner: User, model: TrainedModel, before: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, real = start(model, owner), detect.put_file

    def put_file(*args: Any, **kwargs: Any) -> Any:
        if Detection.objects.exists():
            services.delete_detection(detection=job)
        return real(*args, **kwargs)

    monkeypatch.setattr(detect, "put_file", put_file)
    run_detection(str(job.pk))
    assert stored() == before


def half_way(model: TrainedModel, user: User, monkeypatch: pytest.MonkeyPatch) -> Job:
    with monkeypatch.context() as patch:
        after_the_first_chunk(patch, cancel)
        job = start(model, user, pictures=9)
        run_detection(str(job.pk))
    return job


def test_the_pictures_go_with_the_model_that_they_were_tried_with(
    owner: User, model: TrainedModel, before: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    half_way(model, owner, monkeypatch)
    run_detection(str(start(model, owner).pk))
    assert stored() != before

    delete_model(model=model)

    assert not Detection.objects.exists()
    assert stored() == before


def test_the_pictures_go_with_the_project(
    owner: User,
    project: Project,
    model: TrainedModel,
    before: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half_way(model, owner, monkeypatch)
    run_detection(str(start(model, owner).pk))

    delete_project(project=project)

    assert stored() == before


def test_not_even_its_folder_stays(owner: User, model: TrainedModel) -> None:
    job = start(model, owner)
    folder = Path(detections_storage().path(f"detections/{job.pk}"))
    assert folder.is_dir()
    services.delete_detection(detection=job)
    assert not folder.exists()
