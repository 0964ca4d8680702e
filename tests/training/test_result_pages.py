"""The end of a run on its page, however it ended; and the button that does it again."""

from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from jobs.states import Status
from projects.models import Project
from tests.factories import (
    make_dataset,
    make_image,
    make_model,
    make_predictions,
    make_run,
    make_version,
)
from tests.personas import ClientFactory
from training import provenance
from training.models import TrainedModel, TrainingRun
from training.services import delete_model

FIGURES = {"map50": 0.8, "map50_95": 0.5, "precision": 0.9, "recall": 0.7}
BEST = {"epoch": 3, **FIGURES}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return client


def text_of(user: User, run: TrainingRun) -> str:
    return signed_in(user).get(f"/training-runs/{run.pk}/").content.decode()


class TestHowItEnded:
    def test_counts_come_before_the_field_s_figures(self, viewer: User, project: Project) -> None:
        counted = {"images": 50, "images_right": 46, "confidence": 0.31}
        run = make_run(project, status="succeeded", best={**BEST, **counted})
        page = text_of(viewer, run)
        assert page.index("Counts right in 46 of 50 pictures") < page.index("mAP50")
        assert "from 0.31 on counts" in page
        assert f"/training-runs/{run.pk}/results/" in page

    def test_a_run_of_an_older_release_has_no_counts_to_show(
        self, viewer: User, project: Project
    ) -> None:
        run = make_run(project, status="succeeded", best=BEST)
        per_class = [{"class_name": "can", "boxes": 7, "ap50": 0.81}]
        make_model(project, training_run=run, metrics={"per_class": per_class})
        page = text_of(viewer, run)
        assert "Counts right" not in page and "Really there" not in page
        assert "0.81" in page
        files = signed_in(viewer).get(f"/training-runs/{run.pk}/results/").content.decode()
        assert "data-compared" not in files

    def test_stopped_early_shows_the_model_s_figures(self, viewer: User, project: Project) -> None:
        run = make_run(
            project, status="succeeded", stopped_early=True, epoch=3, best=BEST,
            options={"epochs": 90},
        )  # fmt: skip
        per_class = [{"class_name": "can", "ap50": 0.8, "precision": 0.9, "recall": 0.7}]
        counts = {"per_class": [{"class_name": "can", "true": 9, "predicted": 8}]}
        make_model(project, training_run=run, metrics={"per_class": per_class, "counts": counts})
        page = text_of(viewer, run)
        assert "after 3 of 90 epochs" in page
        assert page.count('<td class="number">-1</td>') == 1

    @pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELED])
    def test_what_was_kept_of_a_run_without_a_model_is_shown(
        self, viewer: User, project: Project, status: Status
    ) -> None:
        error = {"code": "out_of_memory", "params": {}} if status == Status.FAILED else None
        run = make_run(project, status=status, error=error, epoch=4, best=BEST)
        page = text_of(viewer, run)
        assert "0.80" in page
        assert "These are the figures of the best epoch, which is kept." in page
        assert f"/training-runs/{run.pk}/results/" not in page

    def test_attempts_are_told_with_their_devices(self, viewer: User, project: Project) -> None:
        run = make_run(project, attempt=1, worker="gpu-1")
        message = {"device": "Tesla T4", "batch": 8, "optimizer": "SGD", "versions": {}}
        run.environment = provenance.at_start(run, {**message, "weights_sha256": "f" * 64})
        run.attempt, run.worker = 2, "gpu-2"
        # Who goes on has a checkpoint, not the weights that it all began with.
        run.environment = provenance.at_start(run, {**message, "start_epoch": 4, "batch": 4})
        run.save()
        assert run.environment["weights_sha256"] == "f" * 64
        assert run.environment["batch"] == 4
        page = text_of(viewer, run)
        assert "Attempt 1, from epoch 1: Tesla T4, gpu-1" in page
        assert "Attempt 2, from epoch 4: Tesla T4, gpu-2" in page

    def test_an_attempt_that_says_so_twice_is_noted_once(self, project: Project) -> None:
        run = make_run(project, attempt=1)
        for _ in range(2):
            run.environment = provenance.at_start(run, {"device": "CPU"})
        assert len(run.environment["attempts"]) == 1


class TestRepeat:
    def test_is_the_very_same_and_only_once_for_a_key(self, editor: User, project: Project) -> None:
        start = make_model(project)
        options = {"seed": 9, "epochs": 3, "lr0": 0.5}
        run = make_run(
            project, status="succeeded", name="Kệ", options=options, start_model=start,
            base_model=str(start.pk), priority=-3,
        )  # fmt: skip
        client, form = signed_in(editor), {"key": str(uuid4())}
        answers = [client.post(f"/training-runs/{run.pk}/repeat/", form) for _ in range(2)]
        assert {answer["Location"] for answer in answers} == {f"/training-runs/{form['key']}/"}
        again = TrainingRun.objects.get(pk=form["key"])
        for name in ("options", "dataset_version", "start_model", "base_model", "priority"):
            assert getattr(again, name) == getattr(run, name), name
        assert (again.name, again.status, again.created_by) == ("Kệ (2)", Status.QUEUED, editor)
        client.post(f"/training-runs/{again.pk}/repeat/")
        assert TrainingRun.objects.filter(name="Kệ (3)").exists()

    def test_says_so_where_the_start_is_gone(self, editor: User, project: Project) -> None:
        start: TrainedModel = make_model(project)
        run = make_run(
            project, status="succeeded", start_model=start, base_model=str(start.pk),
            environment={"architecture": "yolo11n"},
        )  # fmt: skip
        delete_model(model=start)
        answer = signed_in(editor).post(f"/training-runs/{run.pk}/repeat/", follow=True)
        (message,) = answer.context["messages"]
        assert "has been deleted" in str(message)
        assert TrainingRun.objects.count() == 1
        assert "a model that has been deleted" in answer.content.decode()

    def test_is_for_who_may_train(self, viewer: User, outsider: User, project: Project) -> None:
        run = make_run(project, status="succeeded")
        path = f"/training-runs/{run.pk}/repeat/"
        assert signed_in(viewer).post(path).status_code == 403
        assert signed_in(outsider).post(path).status_code == 404
        assert signed_in(viewer).get(path).status_code == 405
        assert "/repeat/" not in text_of(viewer, run)

    def test_by_the_api_heeds_the_key(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        run = make_run(project, status="succeeded", options={"seed": 9})
        url, key = f"/api/v1/training-runs/{run.pk}/repeat/", {"idempotency-key": "k"}
        first, again = (api(editor).post(url, headers=key) for _ in range(2))
        assert first.status_code == again.status_code == 202
        assert first.json() == again.json()
        assert (first.json()["seed"], first.json()["status"]) == (9, "queued")
        assert TrainingRun.objects.count() == 2


class TestPredictions:
    def test_are_given_in_pages_with_links_to_pictures(
        self, api: ClientFactory, viewer: User, project: Project
    ) -> None:
        version = make_version(make_dataset(project))
        images = [make_image(version, split="val") for _ in range(3)]
        run = make_run(project, dataset_version=version, status="succeeded")
        sure = [[0, 0.9, 1.0, 2.0, 30.0, 40.0]]
        make_predictions(
            run, {images[0].position: sure, images[1].position: [], images[2].position: sure}
        )
        client, url = api(viewer), f"/api/v1/training-runs/{run.pk}/predictions/"
        found = client.get(f"{url}?limit=2").json()
        assert (found["images"], found["images_right"], found["kept"]) == (3, 2, 3)
        assert [row["missed"] for row in found["results"]] == [1, 0]
        assert found["results"][0]["image"] == str(images[1].pk)
        last = client.get(f"{url}?start=2").json()["results"]
        (one,) = last[0]["objects"]
        assert one["box"] == pytest.approx({"x1": 1.0, "y1": 2.0, "x2": 30.0, "y2": 40.0}, abs=0.01)
        assert (one["class_name"], one["match"]) == ("can", 0)
        assert last[0]["truth"][0]["class_name"] == "can"
        assert client.get(f"{url}?start=9").json()["results"] == []
        assert client.get(f"{url}?limit=0").status_code == 400

    def test_that_are_not_there_are_a_sentence(
        self, api: ClientFactory, viewer: User, project: Project
    ) -> None:
        run = make_run(project)
        answer: Any = api(viewer).get(f"/api/v1/training-runs/{run.pk}/predictions/")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_predictions")
