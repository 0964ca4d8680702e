"""Custom Vision over the REST API and the pages: preview, import, and nothing of the key."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from datasets.models import DatasetVersion, Import, ImportSecret
from datasets.tasks import run_import
from projects.models import Project
from tests.custom_vision.conftest import BEER, CAN, ImportIt, fill
from tests.custom_vision.emulator import KEY, Answer, Emulator
from tests.datasets.importing import distinct_jpeg
from tests.personas import ClientFactory

pytestmark = pytest.mark.django_db(transaction=True)
IMPORTS = "/api/v1/imports/"


def body_for(emulator: Emulator, project: Project, **more: Any) -> dict[str, Any]:
    return {
        "project": str(project.pk),
        "endpoint": emulator.endpoint,
        "custom_vision_project": emulator.project,
        "training_key": KEY,
        **more,
    }


def client_of(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def import_body(emulator: Emulator, project: Project, **more: Any) -> dict[str, Any]:
    return body_for(emulator, project, source="custom_vision", split_ratio=0.25, **more)


class TestImport:
    def test_is_made_and_says_nothing_of_the_key(
        self,
        api: ClientFactory,
        editor: User,
        project: Project,
        emulator: Emulator,
        no_delivery: None,
    ) -> None:
        fill(emulator, 8)
        client = api(editor, "import", "read")
        answer = client.post(IMPORTS, import_body(emulator, project, dataset_name="Kệ"))
        assert answer.status_code == 202, answer.content
        body = answer.json()
        assert (body["source"], body["status"]) == ("custom_vision", "queued")
        assert KEY.encode() not in bytes(ImportSecret.objects.get().sealed)
        run_import(body["id"])
        shown = client.get(f"{IMPORTS}{body['id']}/").json()
        assert shown["status"] == "succeeded"
        version = client.get(f"/api/v1/dataset-versions/{body['dataset_version']}/").json()
        assert version["images"]["total"] == 8
        assert version["split_ratio"] == 0.25
        assert [row["name"] for row in version["classes"]] == [BEER, CAN]
        assert KEY not in f"{body} {shown} {version}"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("endpoint", "http://169.254.169.254/"),
            ("endpoint", ""),
            ("custom_vision_project", "Kệ"),
            ("training_key", ""),
            ("split_ratio", 1),
            ("file", "a"),
            ("keep_splits", True),
        ],
    )
    def test_with_a_wrong_field_names_it_and_makes_nothing(
        self,
        api: ClientFactory,
        editor: User,
        project: Project,
        emulator: Emulator,
        field: str,
        value: Any,
    ) -> None:
        answer = api(editor).post(IMPORTS, {**import_body(emulator, project), field: value})
        assert answer.status_code == 400
        assert [row["field"] for row in answer.json()["errors"]] == [field]
        assert KEY not in answer.content.decode()
        assert not Import.objects.exists()
        assert not ImportSecret.objects.exists()

    def test_that_is_canceled_forgets_the_key(
        self, api: ClientFactory, editor: User, project: Project, emulator: Emulator
    ) -> None:
        client = api(editor)
        job = client.post(IMPORTS, import_body(emulator, project)).json()
        assert client.post(f"{IMPORTS}{job['id']}/cancel/").status_code == 202
        assert not ImportSecret.objects.exists()


class TestPreview:
    def test_tells_what_there_is_and_keeps_nothing(
        self, api: ClientFactory, editor: User, project: Project, emulator: Emulator
    ) -> None:
        fill(emulator, 12)
        emulator.add_tag("Không có", "Negative")
        emulator.add_picture(distinct_jpeg(99), (64, 48))
        answer = api(editor).post(f"{IMPORTS}preview/", body_for(emulator, project))
        assert answer.status_code == 200, answer.content
        found = answer.json()
        assert (found["name"], found["tagged"], found["untagged"]) == (emulator.name, 12, 1)
        assert found["domain"] == "Products on Shelves"
        assert [(tag["name"], tag["type"], tag["images"]) for tag in found["tags"]] == [
            (BEER, "Regular", 6),
            (CAN, "Regular", 6),
            ("Không có", "Negative", 0),
        ]
        size = sum(len(picture.content) for picture in emulator.pictures[:12])
        assert 0.5 * size < found["estimated_bytes"] < 2 * size
        assert found["estimated_seconds"] > 0
        assert not Import.objects.exists()
        assert len(emulator.fetched()) <= 8

    def test_of_a_private_network_has_estimates_too(
        self, api: ClientFactory, editor: User, project: Project, emulator: Emulator
    ) -> None:
        fill(emulator, 80)
        emulator.relative_links = True
        found = api(editor).post(f"{IMPORTS}preview/", body_for(emulator, project)).json()
        size = sum(len(picture.content) for picture in emulator.pictures)
        assert 0.5 * size < found["estimated_bytes"] < 2 * size
        # They come at the pace of the API.
        assert 80 / 10 < found["estimated_seconds"] < 60
        assert len(emulator.fetched()) == 8

    @pytest.mark.parametrize("status", [403, 404, 429, 500])
    def test_without_a_sample_there_are_no_estimates(
        self,
        api: ClientFactory,
        editor: User,
        project: Project,
        emulator: Emulator,
        status: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("datasets.custom_vision_preview._PATIENCE", 0.5)
        fill(emulator, 4)
        emulator.relative_links = True
        emulator.faults.append(lambda asked: Answer(status) if asked.picture else None)
        answer = api(editor).post(f"{IMPORTS}preview/", body_for(emulator, project))
        assert (answer.status_code, answer.json()["tagged"]) == (200, 4)
        assert answer.json()["estimated_bytes"] is answer.json()["estimated_seconds"] is None

    def test_tells_why_it_cannot(
        self, api: ClientFactory, editor: User, project: Project, emulator: Emulator
    ) -> None:
        body = body_for(emulator, project, training_key="CANARY-wrong")
        answer = api(editor).post(f"{IMPORTS}preview/", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "custom_vision_key")
        assert "CANARY" not in answer.content.decode()


class TestPages:
    def test_the_connection_is_checked_before_the_import(
        self, editor: User, project: Project, emulator: Emulator
    ) -> None:
        fill(emulator, 4)
        address = reverse("datasets:custom_vision_preview", args=[project.pk])
        answer = client_of(editor).post(address, body_for(emulator, project))
        text = answer.content.decode()
        assert answer.status_code == 200
        assert BEER in text
        assert emulator.name in text
        assert KEY not in text
        wrong = client_of(editor).post(address, body_for(emulator, project, training_key="x"))
        assert 'role="alert"' in wrong.content.decode()

    def test_the_form_starts_an_import(
        self, editor: User, project: Project, emulator: Emulator, no_delivery: None
    ) -> None:
        fill(emulator, 6)
        emulator.publish("san-xuat", [{"name": BEER, "precision": 0.9, "recall": 0.8}])
        address = reverse("datasets:custom_vision_create", args=[project.pk])
        client = client_of(editor)
        answer = client.post(address, {**body_for(emulator, project), "split_percent": 20})
        job = Import.objects.get()
        assert answer["Location"] == reverse("datasets:import_detail", args=[job.pk])
        run_import(str(job.pk))
        report = client.get(answer["Location"]).content.decode()
        assert "Custom Vision" in report
        page = reverse("datasets:version_detail", args=[job.version_id])
        assert "san-xuat" in client.get(page).content.decode()

    def test_a_wrong_form_keeps_all_but_the_key(
        self, editor: User, project: Project, emulator: Emulator
    ) -> None:
        address = reverse("datasets:custom_vision_create", args=[project.pk])
        body = {**body_for(emulator, project), "custom_vision_project": "Kệ", "split_percent": 20}
        answer = client_of(editor).post(address, body)
        assert answer.status_code == 422
        assert emulator.endpoint in answer.content.decode()
        assert KEY not in answer.content.decode()
        assert not Import.objects.exists()


def test_published_iterations_come_along_as_baselines(
    emulator: Emulator, import_it: ImportIt
) -> None:
    fill(emulator, 4)
    rows = [{"name": BEER, "precision": 0.9, "recall": 0.8, "averagePrecision": 0.85}]
    emulator.publish("cũ", rows)
    emulator.publish("mới", rows)
    emulator.iterations.append({"id": "0", "name": "not published"})
    version = DatasetVersion.objects.get(pk=import_it().version_id)
    assert {row["published_as"] for row in version.baselines} == {"cũ", "mới"}
    assert version.baselines[0]["classes"][0]["average_precision"] == 0.85
    assert version.baselines[0]["precision"] == 0.91
