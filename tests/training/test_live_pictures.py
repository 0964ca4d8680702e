"""Validation pictures while a run goes on: what is kept of an epoch, and what is shown of it."""

import math
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from jobs.errors import LeaseLost
from projects.models import Project
from tests import factories
from tests.browser.material import SIZE, make_gallery
from tests.personas import ClientFactory
from tests.training.test_attempt import claimed, epoch_message
from training import epochs
from training.models import RunPictures, TrainingRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project: Project) -> TrainingRun:
    """A run that this test holds, on a version with two validation pictures."""
    factories.make_run(project, dataset_version=make_gallery(project), options={"epochs": 10})
    return claimed()


def picture(position: int, *boxes: list[float]) -> dict[str, Any]:
    return {"file": f"{position:07d}", "boxes": list(boxes)}


def commit(
    run: TrainingRun, folder: Path, number: int, pictures: Any, *, is_best: bool = False
) -> dict[str, Any]:
    """Commit an epoch and return its frame."""
    message = {**epoch_message(folder, number), "pictures": pictures, "is_best": is_best}
    epochs.commit(run, [message], lambda: None)
    return run.events.get(type="epoch", payload__epoch=number).frame()


class TestWhatIsKept:
    def test_is_the_newest_epoch_and_the_best(self, run: TrainingRun, tmp_path: Path) -> None:
        for number, is_best in ((1, True), (2, True), (3, False)):
            pictures = [picture(0, [0, number / 10, 0.1, 0.1, 0.5, 0.5])]
            assert commit(run, tmp_path, number, pictures, is_best=is_best)["has_pictures"]
        kept = {row.kind: (row.epoch, row.found[0]["boxes"][0][1]) for row in run.pictures.all()}
        assert kept == {"last": (3, 0.3), "best": (2, 0.2)}

    def test_stays_where_an_epoch_brings_none(self, run: TrainingRun, tmp_path: Path) -> None:
        commit(run, tmp_path, 1, [picture(0)])
        assert not commit(run, tmp_path, 2, None)["has_pictures"]
        assert run.pictures.get().epoch == 1

    def test_is_nothing_of_an_attempt_that_lost_the_run(
        self, run: TrainingRun, tmp_path: Path
    ) -> None:
        TrainingRun.objects.filter(pk=run.pk).update(attempt=2)
        with pytest.raises(LeaseLost):
            commit(run, tmp_path, 1, [picture(0)])
        assert not RunPictures.objects.exists()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"file": "../../etc", "boxes": []},
            {"file": "٣", "boxes": []},
            {"file": "9" * 40, "boxes": []},
            picture(1, [0, 0.5, 0.1]),
            picture(1, [0, 0.5, 0.1, 0.1, math.nan, 0.5]),
            {"file": "0000001", "boxes": [["0", 1, 1, 1, 1, 1]]},
        ],
    )
    def test_is_nothing_that_cannot_be_shown(
        self, run: TrainingRun, tmp_path: Path, wrong: dict[str, Any]
    ) -> None:
        commit(run, tmp_path, 1, [wrong, picture(0)])
        assert [item["position"] for item in run.pictures.get().found] == [0]

    def test_is_bounded(self, run: TrainingRun, tmp_path: Path) -> None:
        boxes = [[0, 0.5, 0.1, 0.1, 0.2, 0.2]] * 1_000
        commit(run, tmp_path, 1, [picture(n, *boxes) for n in range(50)])
        found = run.pictures.get().found
        assert len(found) == 8
        assert {len(item["boxes"]) for item in found} == {200}


class TestWhatIsShown:
    @pytest.fixture
    def client(self, api: ClientFactory, viewer: User) -> APIClient:
        return api(viewer)

    def shown(self, client: APIClient, run: TrainingRun) -> list[dict[str, Any]]:
        answer = client.get(f"/api/v1/training-runs/{run.pk}/pictures/")
        assert answer.status_code == 200
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    def test_is_nothing_at_first(self, client: APIClient, run: TrainingRun) -> None:
        assert self.shown(client, run) == []

    def test_is_what_was_found_beside_what_is_there(
        self, client: APIClient, run: TrainingRun, tmp_path: Path
    ) -> None:
        commit(run, tmp_path, 1, [picture(0), picture(1, [1, 0.75, 0.25, 0.5, 0.5, 1.0])])
        (look,) = self.shown(client, run)
        assert (look["kind"], look["epoch"]) == ("last", 1)
        empty, full = look["pictures"]
        assert empty["found"] == []
        assert [box["class_name"] for box in empty["image"]["boxes"]] == ["can"]
        width, height = SIZE
        assert full["found"] == [
            {
                "class_id": 1,
                "class_name": "bottle",
                "confidence": 0.75,
                "x1": width / 4,
                "y1": height / 2,
                "x2": width / 2,
                "y2": height,
            }
        ]
        assert client.get(full["image"]["url"]).status_code == 200

    def test_is_one_look_where_the_newest_is_the_best(
        self, client: APIClient, run: TrainingRun, tmp_path: Path
    ) -> None:
        commit(run, tmp_path, 1, [picture(0)], is_best=True)
        assert [look["kind"] for look in self.shown(client, run)] == ["best"]
        commit(run, tmp_path, 2, [picture(0)])
        looks = {look["kind"]: look["epoch"] for look in self.shown(client, run)}
        assert looks == {"last": 2, "best": 1}

    def test_leaves_out_a_picture_that_the_version_does_not_have(
        self, client: APIClient, run: TrainingRun, tmp_path: Path
    ) -> None:
        commit(run, tmp_path, 1, [picture(0), picture(999)])
        (look,) = self.shown(client, run)
        assert len(look["pictures"]) == 1
