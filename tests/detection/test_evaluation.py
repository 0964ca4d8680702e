"""Evaluating: the field's figures, counts that people can use, and what is refused."""

from typing import Any

import pytest

from accounts.models import User
from datasets.models import DatasetVersion
from projects.models import Project
from tests.factories import make_dataset, make_image, make_picture, make_version
from tests.personas import ClientFactory
from training.models import TrainedModel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("at_once")]

URL = "/api/v1/evaluations/"
WHOLE = [0, 0.0, 0.0, 64.0, 48.0]


@pytest.fixture
def version(project: Project) -> DatasetVersion:
    """Three pictures to validate with: one can, one can, and two where the model sees one."""
    version = make_version(make_dataset(project))
    for colour, boxes in (("gray", [WHOLE]), ("navy", [WHOLE]), ("teal", [WHOLE, [1, 1, 1, 9, 9]])):
        make_image(version, split="val", boxes=boxes, content=make_picture(color=colour))
    return version


def test_figures_confusion_counts_and_worst_pictures(
    api: ClientFactory, editor: User, model: TrainedModel, version: DatasetVersion
) -> None:
    client = api(editor)
    begun = client.post(
        URL, {"model": str(model.pk), "dataset_version": str(version.pk)}, format="json"
    )
    assert begun.status_code == 202, begun.json()

    found = client.get(f"{URL}{begun.json()['id']}/").json()

    assert (found["status"], found["error"], found["split"]) == ("succeeded", None, "val")
    assert set(found["metrics"]) == {"precision", "recall", "map50", "map50_95"}
    can, bottle = found["per_class"]
    assert set(can) == {"class_name", "precision", "recall", "ap50", "ap50_95", "boxes"}
    assert (can["class_name"], can["boxes"], bottle["boxes"]) == ("can", 3, 1)
    assert found["confusion"]["labels"] == ["can", "bottle", "background"]
    matrix = found["confusion"]["matrix"]
    # A column is what is really there: three cans and one bottle, whatever they were taken for.
    assert [sum(column) for column in zip(*matrix, strict=True)][:2] == [3, 1]
    assert found["counts"]["images"] == 3
    assert found["counts"]["images_right"] == 2
    worst = found["worst_images"]
    assert [(one["difference"], one["true"], one["predicted"]) for one in worst] == [
        (1, {"can": 1, "bottle": 1}, {"can": 1})
    ]


def test_it_needs_the_same_classes_a_ready_version_and_pictures(
    api: ClientFactory, editor: User, project: Project, model: TrainedModel, version: DatasetVersion
) -> None:
    dataset = make_dataset(project)
    others = make_version(dataset, classes=("bottle", "can"))
    make_image(others, split="val")
    cases: list[tuple[DatasetVersion, dict[str, Any], int, str]] = [
        (others, {}, 400, "classes_differ"),
        (make_version(dataset, status="importing"), {}, 409, "version_not_ready"),
        (version, {"split": "test"}, 400, "empty_split"),
    ]
    for wanted, fields, status, code in cases:
        form = {"model": str(model.pk), "dataset_version": str(wanted.pk), **fields}
        answer = api(editor).post(URL, form, format="json")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
