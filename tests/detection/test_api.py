"""Addresses of detections: what is gone is a 404, and none reads more than it shows."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from detection import services
from detection.models import Detection, Evaluation
from projects.models import Project
from tests.detection.files import sent
from tests.factories import (
    make_dataset,
    make_detection,
    make_detection_image,
    make_evaluation,
    make_model,
    make_picture,
    make_version,
)
from tests.personas import ClientFactory
from training.models import TrainedModel

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/detections/"
KEY = {"Idempotency-Key": "once"}
PICTURE = make_picture()


def post(client: Any, model: TrainedModel, **fields: Any) -> Any:
    form = {"model": str(model.pk), "images": [sent(content=PICTURE)], "wait": 0, **fields}
    return client.post(URL, form, format="multipart", headers=KEY)


@pytest.fixture
def plain_model(project: Project) -> TrainedModel:
    """A model that nobody loads."""
    return make_model(project)


@pytest.mark.usefixtures("waiting")
class TestGone:
    """The answer to a request may be about a row that is not there any more."""

    def test_the_same_key_after_the_detection_was_deleted(
        self, api: ClientFactory, editor: User, plain_model: TrainedModel
    ) -> None:
        first = post(api(editor), plain_model)
        services.delete_detection(detection=Detection.objects.get(pk=first.json()["id"]))
        assert (first.status_code, post(api(editor), plain_model).status_code) == (202, 404)

    def test_the_same_key_after_its_sender_was_put_out(
        self, api: ClientFactory, editor: User, project: Project, plain_model: TrainedModel
    ) -> None:
        first = post(api(editor), plain_model)
        project.memberships.filter(user=editor).delete()
        assert (first.status_code, post(api(editor), plain_model).status_code) == (202, 404)

    def test_deleted_while_its_sender_waits(
        self,
        api: ClientFactory,
        editor: User,
        plain_model: TrainedModel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def wait_for(detection: Detection, seconds: float) -> bool:
            services.delete_detection(detection=detection)
            return True

        monkeypatch.setattr("detection.api.wait_for", wait_for)
        assert post(api(editor), plain_model, wait=5).status_code == 404

    def test_an_evaluation_that_was_deleted_before_it_is_shown(
        self,
        api: ClientFactory,
        editor: User,
        plain_model: TrainedModel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        version = make_version(make_dataset(plain_model.project))
        gone = Evaluation(model=plain_model, dataset_version=version)
        monkeypatch.setattr(services, "start_evaluation", lambda **_: gone)
        body = {"model": str(plain_model.pk), "dataset_version": str(version.pk)}
        assert api(editor).post("/api/v1/evaluations/", body).status_code == 404


@pytest.mark.usefixtures("waiting")
def test_a_viewer_cancels_what_a_viewer_may_start(
    api: ClientFactory, viewer: User, outsider: User, plain_model: TrainedModel
) -> None:
    started = post(api(viewer), plain_model).json()
    address = f"{URL}{started['id']}/cancel/"
    assert api(outsider).post(address).status_code == 404
    assert api(viewer, "read").post(address).status_code == 403
    canceled = api(viewer).post(address)
    assert (canceled.status_code, canceled.json()["status"]) == (202, "canceled")


def test_a_viewer_cancels_no_evaluation(
    api: ClientFactory, viewer: User, plain_model: TrainedModel
) -> None:
    evaluation = make_evaluation(model=plain_model)
    assert api(viewer).post(f"/api/v1/evaluations/{evaluation.pk}/cancel/").status_code == 403


def test_what_shows_one_picture_reads_no_other(
    api: ClientFactory, viewer: User, plain_model: TrainedModel
) -> None:
    detection = make_detection(model=plain_model)
    for _ in range(3):
        make_detection_image(detection)
    path = f"{URL}{detection.pk}/"
    for end in ("images/0/", "images/0/thumbnail/", "images/0/annotated/", "events/", "logs/"):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert api(viewer).get(f"{path}{end}").status_code == 200
        about_pictures = [q["sql"] for q in asked if 'FROM "detection_detectionimage"' in q["sql"]]
        assert len(about_pictures) == ("images" in end), end
        assert all("LIMIT" in sql for sql in about_pictures), end


def test_what_shows_all_reads_them_once(
    api: ClientFactory, viewer: User, plain_model: TrainedModel
) -> None:
    detection = make_detection(model=plain_model)
    make_detection_image(detection)
    for end in ("", "export/?format=csv", "export/?format=json", "export/?format=coco"):
        with CaptureQueriesContext(connection) as asked:
            assert api(viewer).get(f"{URL}{detection.pk}/{end}").status_code == 200
        assert sum('FROM "detection_detectionimage"' in q["sql"] for q in asked) == 1, end
