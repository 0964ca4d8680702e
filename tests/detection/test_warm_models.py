"""Models stay loaded between requests; which one is known by what its weights are."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from detection import tasks, yolo
from detection.yolo import LoadedModel, ModelCache
from projects.models import Project
from tests.detection.files import sent
from tests.factories import make_model
from tests.personas import ClientFactory
from training.models import TrainedModel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("at_once")]

Ask = Callable[[TrainedModel], None]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was loaded since the start of the test, by a worker that has room for two models."""
    loaded: list[Path] = []

    class Counted(LoadedModel):
        def __init__(self, path: Path, *, imgsz: int) -> None:
            loaded.append(path)
            super().__init__(path, imgsz=imgsz)

    cache = ModelCache(most=2)
    tasks.models()  # sets what the library reads when it is imported
    monkeypatch.setattr(yolo, "LoadedModel", Counted)
    monkeypatch.setattr(tasks, "models", lambda: cache)
    return loaded


@pytest.fixture
def ask(api: ClientFactory, editor: User) -> Ask:
    """Have a model detect, and see that it finds its can."""

    def detect(model: TrainedModel) -> None:
        form: dict[str, Any] = {"model": str(model.pk), "images": [sent()], "wait": 5}
        found = api(editor).post("/api/v1/detections/", form, format="multipart").json()
        assert (found["status"], found["counts"]) == ("succeeded", {"can": 1}), found

    return detect


def other(weights: bytes, note: str) -> bytes:
    """Return the same weights in a file with another digest."""
    content = io.BytesIO(weights)
    with zipfile.ZipFile(content, "a") as archive:
        archive.comment = note.encode()
    return content.getvalue()


def test_a_model_is_loaded_for_the_first_request_alone(
    loads: list[Path], ask: Ask, model: TrainedModel
) -> None:
    for _ in range(3):
        ask(model)
    assert len(loads) == 1


def test_the_same_weights_under_another_name_are_the_same_model(
    loads: list[Path], ask: Ask, project: Project, model: TrainedModel, weights: bytes
) -> None:
    ask(model)
    ask(make_model(project, weights=weights))
    assert len(loads) == 1


def test_other_weights_are_loaded_and_both_stay(
    loads: list[Path], ask: Ask, project: Project, model: TrainedModel, weights: bytes
) -> None:
    another = make_model(project, weights=other(weights, "another"))
    assert another.sha256 != model.sha256
    for one in (model, another, model, another):
        ask(one)
    assert len(loads) == 2


def test_what_was_used_longest_ago_makes_room(
    loads: list[Path], ask: Ask, project: Project, model: TrainedModel, weights: bytes
) -> None:
    second, third = (make_model(project, weights=other(weights, note)) for note in "23")
    for one in (model, second, model, third):
        ask(one)
    assert len(loads) == 3

    ask(model)  # asked for after the second, so that it stayed
    assert len(loads) == 3
    ask(second)
    assert len(loads) == 4
