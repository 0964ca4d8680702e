"""What is told of an epoch once it is committed: its figures, and the best epoch until then."""

from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from projects.models import Project
from tests import factories
from tests.personas import ClientFactory
from tests.training.test_attempt import claimed, epoch_message
from training import epochs
from training.models import TrainingRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project: Project) -> TrainingRun:
    """A run that this test holds."""
    factories.make_run(project, options={"epochs": 10})
    return claimed()


def message(folder: Path, number: int, map50: float, *, is_best: bool) -> dict[str, Any]:
    """Return what the trainer says of an epoch."""
    val = {"map50": map50, "map50_95": map50 / 2, "precision": 0.75, "recall": 0.5, "box_loss": 2.0}
    return {**epoch_message(folder, number), "val": val, "is_best": is_best}


def best_in_frames(run: TrainingRun) -> list[int | None]:
    """Return the epoch that each frame of an epoch calls the best."""
    frames = [event.frame() for event in run.events.filter(type="epoch").order_by("seq")]
    return [frame["best"] and frame["best"]["epoch"] for frame in frames]


def test_the_frame_tells_the_best_epoch_as_the_api_does(
    api: ClientFactory,
    viewer: User,
    run: TrainingRun,
    tmp_path: Path,
) -> None:
    client: APIClient = api(viewer)
    epochs.commit(run, [message(tmp_path, 1, 0.0, is_best=False)], lambda: None)
    for number, map50, is_best in ((2, 0.5, True), (3, 0.25, False)):
        epochs.commit(run, [message(tmp_path, number, map50, is_best=is_best)], lambda: None)
        frame = run.events.get(type="epoch", payload__epoch=number).frame()
        assert frame["best"] == client.get(f"/api/v1/training-runs/{run.pk}/").json()["best"]
    assert best_in_frames(run) == [None, 2, 2]


def test_of_epochs_that_are_committed_together_each_tells_the_best_until_then(
    run: TrainingRun,
    tmp_path: Path,
) -> None:
    figures = ((1, 0.1, True), (2, 0.3, True), (3, 0.2, False))
    told = [message(tmp_path, number, map50, is_best=best) for number, map50, best in figures]
    epochs.commit(run, told, lambda: None)
    assert best_in_frames(run) == [1, 2, 2]


def test_the_best_is_known_after_a_commit_whose_answer_was_lost(
    run: TrainingRun,
    tmp_path: Path,
) -> None:
    in_doubt = TrainingRun.objects.get(pk=run.pk)
    first = message(tmp_path, 1, 0.5, is_best=True)
    epochs.commit(run, [first], lambda: None)
    epochs.commit(in_doubt, [first], lambda: None)  # once more, for nobody knows that it landed
    epochs.commit(in_doubt, [message(tmp_path, 2, 0.25, is_best=False)], lambda: None)
    assert best_in_frames(run) == [1, 1]
