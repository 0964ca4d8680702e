"""The API of step 1: imports, datasets, versions, pictures."""

import io
import zipfile
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from accounts.models import User
from datasets.models import Dataset, DatasetVersion, Import
from datasets.tasks import run_import
from projects.models import Project
from tests import factories
from tests.datasets.importing import Bring, labelled_files, labelled_zip, stored_files
from tests.personas import ClientFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_delivery")]

NASTY = (
    "a: b",
    'say "x"',
    "it's",
    "bia 🍺",
    "Nước ngọt",
    "#1",
    "- dash",
    "{x}",
    "null",
    "1",
    "\\n",
)


def post_zip(client: APIClient, project: Project, **fields: Any) -> Any:
    """Send a ZIP."""
    file = fields.pop("file", None) or SimpleUploadedFile("Kệ bia.zip", labelled_zip(4))
    body = {"project": str(project.pk), "file": file, **fields}
    headers = {"Idempotency-Key": body.pop("key")} if "key" in body else {}
    return client.post("/api/v1/imports/", body, format="multipart", headers=headers)


def fields_of(answer: Any) -> dict[str, str]:
    """Return the code of the error of each field."""
    assert answer["Content-Type"] == "application/problem+json"
    return {error["field"]: error["code"] for error in answer.json()["errors"]}


def ready(project: Project, *, images: int = 3) -> DatasetVersion:
    """Return a version that is ready, with pictures."""
    version = factories.make_version(factories.make_dataset(project))
    for _ in range(images):
        factories.make_image(version)
    return version


class TestNewImport:
    def test_is_accepted_and_waits(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        answer = post_zip(api(editor), project, dataset_name="Kệ", split_ratio="0.3")
        assert answer.status_code == 202
        body = answer.json()
        assert body["status"] == "queued"
        assert body["project"] == str(project.pk)
        assert (body["source"], body["error"], body["finished_at"]) == ("zip", None, None)
        assert set(body["progress"]) >= {"phase", "done", "total", "percent", "eta_seconds"}
        version = DatasetVersion.objects.get(pk=body["dataset_version"])
        assert (version.split_ratio, version.status) == (0.3, "importing")
        assert body["dataset"] == str(version.dataset_id)

    def test_is_named_after_its_file_where_no_name_is_given(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        assert post_zip(api(editor), project).status_code == 202
        assert Dataset.objects.get().name == "Kệ bia"

    def test_makes_the_next_version_of_a_dataset(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        version = ready(project)
        answer = post_zip(api(editor), project, dataset=str(version.dataset_id))
        made = DatasetVersion.objects.get(pk=answer.json()["dataset_version"])
        assert (made.dataset_id, made.number) == (version.dataset_id, 2)

    @pytest.mark.parametrize(
        ("fields", "images", "names"),
        [
            ({"mode": "add"}, 6, ["can", "bottle", "lớp 0", "lớp 1"]),
            ({"mode": "replace"}, 4, ["lớp 0", "lớp 1"]),
            ({}, 4, ["lớp 0", "lớp 1"]),
        ],
    )
    def test_adds_to_what_the_dataset_has_or_replaces_it(
        self,
        api: ClientFactory,
        editor: User,
        project: Project,
        fields: dict[str, str],
        images: int,
        names: list[str],
    ) -> None:
        version = ready(project, images=2)
        client = api(editor)
        job = post_zip(client, project, dataset=str(version.dataset_id), **fields).json()
        run_import(job["id"])
        body = client.get(f"/api/v1/dataset-versions/{job['dataset_version']}/").json()
        assert (body["status"], body["images"]["total"]) == ("ready", images)
        assert [row["name"] for row in body["classes"]] == names
        assert body["parent"] == (str(version.pk) if fields.get("mode") == "add" else None)

    def test_adds_only_where_nothing_else_is_on_the_way(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        dataset = str(ready(project).dataset_id)
        assert post_zip(api(editor), project, dataset=dataset).status_code == 202
        before = stored_files()
        answer = post_zip(api(editor), project, dataset=dataset, mode="add")
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset_busy")
        assert stored_files() == before

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("split_ratio", "0"),
            ("split_ratio", "-0.1"),
            ("split_ratio", "1"),
            ("split_ratio", "1.5"),
            ("split_ratio", "inf"),
            ("split_ratio", "nan"),
            ("split_seed", "-1"),
            ("dataset", "00000000-0000-4000-8000-000000000000"),
            ("source", "ftp"),
            ("mode", "merge"),
            ("status", "succeeded"),
        ],
    )
    def test_with_a_wrong_field_names_it_and_makes_nothing(
        self, api: ClientFactory, editor: User, project: Project, field: str, value: str
    ) -> None:
        before = stored_files()
        answer = post_zip(api(editor), project, **{field: value})
        assert answer.status_code == 400
        assert field in fields_of(answer)
        assert not Import.objects.exists()
        assert stored_files() == before

    @pytest.mark.parametrize("ratio", [0.001, 0.009, 0.995])
    def test_takes_every_ratio_between_nothing_and_all(
        self, api: ClientFactory, editor: User, project: Project, ratio: float
    ) -> None:
        answer = post_zip(api(editor), project, split_ratio=str(ratio))
        assert answer.status_code == 202, answer.content
        assert DatasetVersion.objects.get().split_ratio == ratio

    @pytest.mark.parametrize("ratio", ["0", "1"])
    def test_with_a_ratio_out_of_range_names_the_range(
        self, api: ClientFactory, editor: User, project: Project, ratio: str
    ) -> None:
        [error] = post_zip(api(editor), project, split_ratio=ratio).json()["errors"]
        assert error["detail"] == "Must be more than 0 and less than 1."

    def test_without_a_file_says_so(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        answer = api(editor).post("/api/v1/imports/", {"project": str(project.pk)})
        assert (answer.status_code, fields_of(answer)) == (400, {"file": "required"})

    def test_into_a_dataset_of_another_project_finds_none(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        foreign = factories.make_dataset(factories.make_project(editor))
        answer = post_zip(api(editor), project, dataset=str(foreign.pk))
        assert fields_of(answer) == {"dataset": "does_not_exist"}

    def test_with_a_taken_name_is_refused(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        taken = ready(project).dataset.name
        answer = post_zip(api(editor), project, dataset_name=taken)
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset_name_taken")

    def test_twice_with_one_key_is_one(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        before, client = stored_files(), api(editor)
        first = post_zip(client, project, key="k1", dataset_name="x")
        second = post_zip(client, project, key="k1", dataset_name="x")
        assert first.json() == second.json()
        assert Import.objects.count() == 1
        assert len(stored_files() - before) == 1
        other = post_zip(client, project, key="k1", dataset_name="y")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")

    def test_needs_the_scope(self, api: ClientFactory, editor: User, project: Project) -> None:
        assert post_zip(api(editor, "read"), project).status_code == 403
        assert post_zip(api(editor, "import"), project).status_code == 202


class TestImports:
    def test_are_canceled_once(self, api: ClientFactory, editor: User, project: Project) -> None:
        before, client = stored_files(), api(editor)
        url = f"/api/v1/imports/{post_zip(client, project).json()['id']}/"
        assert client.post(f"{url}cancel/").status_code == 202
        assert client.get(url).json()["status"] == "canceled"
        assert client.post(f"{url}cancel/").json()["code"] == "not_active"
        assert stored_files() == before

    def test_say_why_they_failed_in_the_readers_language(
        self, api: ClientFactory, bring: Bring, viewer: User
    ) -> None:
        url = f"/api/v1/imports/{bring(b'no ZIP').pk}/"
        client = api(viewer)
        english = client.get(url, headers={"accept-language": "en"}).json()["error"]
        assert english["code"] == "archive_not_zip"
        assert english["message"] == "The file is not a ZIP archive."
        assert english["hint"]

    def test_are_tried_again_only_where_that_may_help(
        self, api: ClientFactory, bring: Bring, editor: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = api(editor)
        theirs = bring(b"no ZIP")
        answer = client.post(f"/api/v1/imports/{theirs.pk}/retry/")
        assert (answer.status_code, answer.json()["code"]) == (409, "upload_gone")
        with monkeypatch.context() as patch:
            patch.setattr("datasets.import_split.assign", lambda *_, **__: 1 / 0)
            ours = bring(labelled_zip(3), dataset_name="ours")
        answer = client.post(f"/api/v1/imports/{ours.pk}/retry/")
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")

    def test_are_filtered_by_a_closed_list(
        self, api: ClientFactory, viewer: User, project: Project
    ) -> None:
        factories.make_import(project)
        factories.make_import(project, status="failed")
        client = api(viewer)
        found = client.get(f"/api/v1/imports/?project={project.pk}&status=failed").json()
        assert [row["status"] for row in found["results"]] == ["failed"]
        assert client.get("/api/v1/imports/?ordering=file").status_code == 400


class TestDatasets:
    def test_know_their_newest_ready_version(
        self, api: ClientFactory, viewer: User, project: Project
    ) -> None:
        version = ready(project)
        factories.make_version(version.dataset, status="importing")
        (row,) = api(viewer).get(f"/api/v1/datasets/?project={project.pk}").json()["results"]
        assert (row["latest_version"], row["versions"]) == (str(version.pk), 2)

    def test_are_renamed_but_not_to_a_taken_name(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        one, other = factories.make_dataset(project), factories.make_dataset(project)
        client, url = api(editor), f"/api/v1/datasets/{one.pk}/"
        assert client.patch(url, {"name": "Mới"}, format="json").json()["name"] == "Mới"
        answer = client.patch(url, {"name": other.name}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset_name_taken")

    def test_go_unless_a_training_was_made_with_them(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        used, free = ready(project), ready(project)
        factories.make_run(project, dataset_version=used)
        client = api(editor)
        answer = client.delete(f"/api/v1/datasets/{used.dataset_id}/")
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset_in_use")
        assert client.delete(f"/api/v1/datasets/{free.dataset_id}/").status_code == 204
        assert not DatasetVersion.objects.filter(pk=free.pk).exists()
        assert used.images.count() == 3


class TestVersions:
    def test_show_what_the_contract_names(
        self, api: ClientFactory, bring: Bring, viewer: User
    ) -> None:
        files = labelled_files(6)
        files["labels/ảnh 0.txt"] = "0 0.5 0.5 0.2 0.2\n9 0.5 0.5 0.2 0.2\n"
        version = bring(files).version
        body = api(viewer).get(f"/api/v1/dataset-versions/{version.pk}/").json()
        assert set(body) >= {
            "id", "dataset", "number", "source", "status", "classes", "images", "boxes",
            "split_ratio", "split_seed", "fingerprint", "warnings", "created_at",
        }  # fmt: skip
        assert body["images"] == {"total": 6, "train": 4, "val": 2, "test": 0}
        assert body["classes"][0] == {"index": 0, "name": "lớp 0", "boxes": 3, "images": 3}
        (warning,) = body["warnings"]
        assert (warning["code"], warning["count"]) == ("class_out_of_range", 1)
        assert warning["message"].startswith("1 labels name a class")
        assert warning["examples"] == ["labels/ảnh 0.txt:2"]

    def test_list_their_pictures_by_split_class_and_name(
        self, api: ClientFactory, bring: Bring, viewer: User
    ) -> None:
        version = bring(labelled_zip(10)).version
        url, client = f"/api/v1/dataset-versions/{version.pk}/images/", api(viewer)

        def names(query: str) -> list[str]:
            return [row["file_name"] for row in client.get(url + query).json()["results"]]

        assert len(names("")) == 10
        assert len(names("?split=val")) == 2
        assert (
            names("?class=1") == names("?class=lớp 1") == [f"ảnh {n}.jpg" for n in range(1, 10, 2)]
        )
        assert names("?q=NH 3") == ["ảnh 3.jpg"]
        assert names("?class=none") == []
        assert names("?page=2&page_size=4") == [f"ảnh {n}.jpg" for n in range(4, 8)]
        assert client.get(f"{url}?split=dev").status_code == 400
        assert names("?ordering=-position") == list(reversed(names("")))
        assert names("?ordering=-file_name") == list(reversed(names("?ordering=file_name")))
        assert names("?ordering=-file_name&class=1&page_size=2") == ["ảnh 9.jpg", "ảnh 7.jpg"]
        for unknown in ("split", "number", "boxes", "-created_at"):
            refused = client.get(f"{url}?ordering={unknown}")
            assert (refused.status_code, fields_of(refused)) == (
                400,
                {"ordering": "invalid_choice"},
            )
        (box,) = client.get(url).json()["results"][0]["boxes"]
        assert set(box) == {"class_id", "class_name", "x1", "y1", "x2", "y2"}
        assert box["class_name"] == "lớp 0"

    @pytest.mark.parametrize("status", ["importing", "failed"])
    def test_show_nothing_half_done(
        self, api: ClientFactory, editor: User, project: Project, status: str
    ) -> None:
        version = ready(project)
        image = version.images.first()
        DatasetVersion.objects.filter(pk=version.pk).update(status=status)
        client, url = api(editor), f"/api/v1/dataset-versions/{version.pk}/"
        assert client.get(f"{url}images/").json()["count"] == 0
        assert client.get(f"/api/v1/images/{image.pk}/file/").status_code == 404
        for end in ("data.yaml", "mapping.txt", "export/"):
            assert client.get(url + end).json()["code"] == "version_not_ready"
        assert client.post(f"{url}resplit/").json()["code"] == "version_not_ready"

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_give_their_classes_as_files(
        self, api: ClientFactory, viewer: User, project: Project, slash: str
    ) -> None:
        version = factories.make_version(factories.make_dataset(project), classes=NASTY)
        client, url = api(viewer), f"/api/v1/dataset-versions/{version.pk}"
        answer = client.get(f"{url}/data.yaml{slash}")
        assert yaml.safe_load(answer.content)["names"] == dict(enumerate(NASTY))
        lines = client.get(f"{url}/mapping.txt{slash}").content.decode().splitlines()
        assert lines == [f"{index}: {name}" for index, name in enumerate(NASTY)]

    def test_go_out_as_yolo_and_come_in_again(
        self, api: ClientFactory, bring: Bring, viewer: User
    ) -> None:
        version = bring(labelled_zip(6)).version
        url, client = f"/api/v1/dataset-versions/{version.pk}/export/", api(viewer)
        content = b"".join(client.get(url))
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) == 13
        again = bring(content, dataset_name="again").version
        assert (again.train_images, again.val_images) == (
            version.train_images,
            version.val_images,
        )
        assert boxes_of(again) == boxes_of(version)
        answer = client.get(f"{url}?format=csv")
        assert (answer.status_code, answer.json()["code"]) == (400, "format_unavailable")

    def test_are_split_anew_into_the_next_version(
        self, api: ClientFactory, bring: Bring, editor: User, viewer: User
    ) -> None:
        version = bring(labelled_zip(10)).version
        version.images.filter(position=0).update(split="test")
        url = f"/api/v1/dataset-versions/{version.pk}/resplit/"
        assert api(viewer).post(url).status_code == 403
        answer = api(editor).post(url, {"split_ratio": 0.5, "split_seed": 3}, format="json")
        assert answer.status_code == 201
        body = answer.json()
        assert (body["number"], body["source"], body["status"]) == (2, "resplit", "ready")
        assert body["images"]["test"] == 1
        assert body["images"]["total"] == 10
        assert body["boxes"] == version.boxes


class TestPictures:
    def test_come_with_safe_headers_and_are_not_sent_twice(
        self, api: ClientFactory, viewer: User, project: Project
    ) -> None:
        image = ready(project).images.first()
        client = api(viewer)
        for end in ("file", "thumbnail"):
            url = f"/api/v1/images/{image.pk}/{end}/"
            answer = client.get(url)
            assert answer["Content-Type"] == "image/jpeg"
            assert answer["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in answer["Content-Security-Policy"]
            assert {"private", "immutable"} <= set(answer["Cache-Control"].split(", "))
            assert b"".join(answer).startswith(b"\xff\xd8")
            again = client.get(url, headers={"if-none-match": answer["ETag"]})
            assert again.status_code == 304

    def test_are_hidden_from_strangers(
        self, api: ClientFactory, outsider: User, project: Project
    ) -> None:
        url = f"/api/v1/images/{ready(project).images.first().pk}/file/"
        assert api(outsider).get(url).status_code == 404
        assert api().get(url).status_code == 401


def boxes_of(version: DatasetVersion) -> dict[str, list[list[float]]]:
    """Return the boxes of each picture, to a tenth of a pixel."""
    return {
        image.file_name: [[round(value, 1) for value in row] for row in image.boxes]
        for image in version.images.all()
    }
