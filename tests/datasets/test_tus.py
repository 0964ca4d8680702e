"""Resumable uploads: the tus protocol, and what is kept when something breaks."""

import base64
import fcntl
import os
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from datasets import tus
from datasets.leftovers import _keep_house
from datasets.models import Import, Upload
from datasets.tasks import run_import
from datasets.upload_api import MEDIA_TYPE
from projects.models import Project
from tests import factories
from tests.datasets.importing import fresh, labelled_zip
from tests.personas import ClientFactory

pytestmark = pytest.mark.django_db(transaction=True)
UPLOADS = "/api/v1/uploads/"
VERSION = {"Tus-Resumable": "1.0.0"}


def metadata(**values: str) -> str:
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in values.items())


def begin(client: APIClient, length: int, **more: str) -> Any:
    headers = {**VERSION, "Upload-Length": str(length), "Upload-Metadata": metadata(**more)}
    return client.post(UPLOADS, headers=headers)


def send(client: APIClient, url: str, offset: int, content: bytes, **more: str) -> Any:
    headers = {**VERSION, "Upload-Offset": str(offset), **more}
    return client.generic("PATCH", url, content, content_type=MEDIA_TYPE, headers=headers)


def state(client: APIClient, url: str) -> Any:
    return client.head(url, headers=VERSION)


@pytest.fixture
def client(api: ClientFactory, editor: User) -> APIClient:
    return api(editor, "import", "read")


@pytest.fixture
def started(client: APIClient, project: Project) -> str:
    """Begin an upload of ten bytes; return its address."""
    return str(begin(client, 10, project=str(project.pk), filename="Kệ.zip")["Location"])


class TestProtocol:
    def test_options_say_what_is_spoken(self, client: APIClient) -> None:
        answer = client.options(UPLOADS)
        assert answer.status_code == 204
        assert answer["Tus-Version"] == answer["Tus-Resumable"] == "1.0.0"
        assert {"creation", "termination", "expiration"} <= set(answer["Tus-Extension"].split(","))
        assert int(answer["Tus-Max-Size"]) > 0

    def test_an_upload_begins(self, client: APIClient, project: Project, editor: User) -> None:
        answer = begin(client, 10, project=str(project.pk), filename="Kệ.zip")
        assert (answer.status_code, answer["Upload-Offset"]) == (201, "0")
        assert "GMT" in answer["Upload-Expires"]
        upload = Upload.objects.get()
        assert answer["Location"].endswith(f"{UPLOADS}{upload.pk}/")
        assert (upload.user, upload.project, upload.file_name) == (editor, project, "Kệ.zip")

    def test_bytes_come_in_parts(self, client: APIClient, started: str) -> None:
        first = send(client, started, 0, b"0123")
        assert (first.status_code, first["Upload-Offset"]) == (204, "4")
        asked = state(client, started)
        assert (asked["Upload-Offset"], asked["Upload-Length"]) == ("4", "10")
        assert asked["Cache-Control"] == "no-store"
        assert send(client, started, 4, b"456789")["Upload-Offset"] == "10"
        assert tus._path(Upload.objects.get().pk).read_bytes() == b"0123456789"

    def test_it_may_begin_with_bytes(self, client: APIClient, project: Project) -> None:
        headers = {
            **VERSION,
            "Upload-Length": "5",
            "Upload-Metadata": metadata(project=str(project.pk)),
        }
        answer = client.generic("POST", UPLOADS, b"012", content_type=MEDIA_TYPE, headers=headers)
        assert (answer.status_code, answer["Upload-Offset"]) == (201, "3")

    def test_it_ends(self, client: APIClient, started: str) -> None:
        send(client, started, 0, b"0123")
        path = tus._path(Upload.objects.get().pk)
        assert client.delete(started, headers=VERSION).status_code == 204
        assert not path.exists()
        assert state(client, started).status_code == 404


class TestRefusals:
    def test_another_version(self, client: APIClient, started: str) -> None:
        for answer in (
            client.head(started),
            client.head(started, headers={"Tus-Resumable": "0.2.2"}),
        ):
            assert (answer.status_code, answer["Tus-Version"]) == (412, "1.0.0")

    @pytest.mark.parametrize("length", ["", "-1", "ten", "1" * 30, "1.5"])
    def test_a_length_that_is_none(self, client: APIClient, length: str) -> None:
        answer = client.post(UPLOADS, headers={**VERSION, "Upload-Length": length})
        assert (answer.status_code, answer.json()["code"]) == (400, "upload_header")
        assert not Upload.objects.exists()

    def test_metadata_that_is_none(self, client: APIClient) -> None:
        headers = {**VERSION, "Upload-Length": "1", "Upload-Metadata": "filename ???"}
        assert client.post(UPLOADS, headers=headers).json()["code"] == "upload_header"

    def test_too_much(self, client: APIClient, settings: Any) -> None:
        settings.MAX_UPLOAD_BYTES = 100
        answer = begin(client, 101)
        assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")

    def test_more_than_the_project_may(
        self, client: APIClient, project: Project, settings: Any
    ) -> None:
        settings.UPLOAD_QUOTA_BYTES = 100
        assert begin(client, 60, project=str(project.pk)).status_code == 201
        answer = begin(client, 60, project=str(project.pk))
        assert (answer.status_code, answer.json()["code"]) == (413, "upload_quota")
        assert begin(client, 60).status_code == 201  # for no project yet

    def test_another_offset(self, client: APIClient, started: str) -> None:
        send(client, started, 0, b"0123")
        for offset in (0, 3, 5):
            answer = send(client, started, offset, b"xx")
            assert (answer.status_code, answer.json()["code"]) == (409, "upload_offset")
        assert state(client, started)["Upload-Offset"] == "4"

    def test_more_bytes_than_announced(self, client: APIClient, started: str) -> None:
        send(client, started, 0, b"0123")
        answer = send(client, started, 4, b"45678901")
        assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_long")
        assert state(client, started)["Upload-Offset"] == "4"
        assert send(client, started, 4, b"456789").status_code == 204

    def test_another_type(self, client: APIClient, started: str) -> None:
        headers = {**VERSION, "Upload-Offset": "0"}
        answer = client.generic(
            "PATCH", started, b"{}", content_type="application/json", headers=headers
        )
        assert answer.status_code == 415

    def test_two_at_once(self, client: APIClient, started: str) -> None:
        path = tus._path(Upload.objects.get().pk)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT), "r+b") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            answer = send(client, started, 0, b"0123")
        assert (answer.status_code, answer.json()["code"]) == (423, "upload_busy")

    def test_strangers(
        self, api: ClientFactory, owner: User, viewer: User, project: Project, started: str
    ) -> None:
        for user in (owner, viewer):  # not even whoever owns the project
            assert state(api(user), started).status_code == 404
            assert send(api(user), started, 0, b"0").status_code == 404
        assert begin(api(viewer), 1, project=str(project.pk)).status_code == 403
        foreign = factories.make_project(factories.make_user())
        assert begin(api(owner), 1, project=str(foreign.pk)).status_code == 400
        assert begin(api(owner, "read"), 1).status_code == 403
        assert begin(api(None), 1).status_code == 401


class TestBroken:
    def test_bytes_that_no_row_knows_of_are_cut_off(self, client: APIClient, started: str) -> None:
        """Whoever was adding them was killed before the row said so."""
        send(client, started, 0, b"0123")
        path = tus._path(Upload.objects.get().pk)
        with path.open("ab") as file:
            file.write(b"garbage")
        assert state(client, started)["Upload-Offset"] == "4"
        send(client, started, 4, b"456789")
        assert path.read_bytes() == b"0123456789"

    def test_a_body_that_breaks_moves_nothing(self, client: APIClient, started: str) -> None:
        upload = Upload.objects.get()

        class Breaking(BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell():
                    raise ConnectionResetError
                return super().read(2)

        with pytest.raises(ConnectionResetError):
            tus.append(upload, 0, Breaking(b"0123456789"))
        assert state(client, started)["Upload-Offset"] == "0"
        assert send(client, started, 0, b"0123456789").status_code == 204

    def test_what_nobody_comes_back_for_goes(self, client: APIClient, started: str) -> None:
        send(client, started, 0, b"0123")
        upload = Upload.objects.get()
        Upload.objects.update(touched_at=timezone.now() - timedelta(hours=25))
        assert state(client, started).status_code == 404
        _keep_house()
        assert not Upload.objects.exists()
        assert not tus._path(upload.pk).exists()


class TestImport:
    def begun(self, client: APIClient, project: Project, content: bytes) -> str:
        answer = begin(client, len(content), project=str(project.pk), filename="Kệ bia.zip")
        url = answer["Location"]
        for start in range(0, len(content), 1000):
            assert send(client, url, start, content[start : start + 1000]).status_code == 204
        return str(url.rstrip("/").rsplit("/", 1)[-1])

    def post(self, client: APIClient, project: Project, upload: str, **headers: str) -> Any:
        body = {"project": str(project.pk), "source": "zip", "upload": upload}
        return client.post("/api/v1/imports/", body, format="multipart", headers=headers)

    def test_takes_an_upload_once(
        self, client: APIClient, project: Project, no_delivery: None
    ) -> None:
        upload = self.begun(client, project, labelled_zip(6))
        answers = [self.post(client, project, upload, **{"Idempotency-Key": "1"}) for _ in "12"]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert Import.objects.count() == 1
        job = Import.objects.get()
        assert (job.file_name, job.version.dataset.name) == ("Kệ bia.zip", "Kệ bia")
        assert not Upload.objects.exists()
        assert not tus._path(upload).exists()
        run_import(str(job.pk))
        assert fresh(job).version.images_total == 6
        assert self.post(client, project, upload).status_code == 400

    def test_takes_json_too(self, client: APIClient, project: Project, no_delivery: None) -> None:
        upload = self.begun(client, project, labelled_zip(4))
        body = {"project": str(project.pk), "source": "zip", "upload": upload}
        assert client.post("/api/v1/imports/", body, format="json").status_code == 202

    def test_wants_all_of_it(self, client: APIClient, project: Project, started: str) -> None:
        send(client, started, 0, b"0123")
        upload = str(Upload.objects.get().pk)
        answer = self.post(client, project, upload)
        assert (answer.status_code, answer.json()["code"]) == (400, "upload_incomplete")
        assert Upload.objects.exists()

    def test_that_is_not_made_leaves_the_upload(
        self, client: APIClient, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload = self.begun(client, project, labelled_zip(4))
        monkeypatch.setattr("datasets.services.queue.submit", lambda job: 1 / 0)
        assert self.post(client, project, upload).status_code == 500
        assert Upload.objects.get().is_complete
        assert tus._path(upload).is_file()
        assert not Import.objects.exists()

    def test_of_another_project_finds_none(
        self, client: APIClient, project: Project, editor: User
    ) -> None:
        upload = self.begun(client, project, labelled_zip(4))
        other = factories.make_project(editor)
        answer = self.post(client, other, upload)
        assert answer.status_code == 400
        assert Upload.objects.exists()
