"""Uploads in pieces by the tus protocol: every header, every error, and what a kill may cost."""

import base64
import os
import shutil
import tracemalloc
from collections import namedtuple
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django.utils.http import parse_http_date

from accounts.models import User
from datasets import arriving
from datasets.models import Upload
from jobs.errors import UserError
from projects.models import Project
from tests import factories
from tests.personas import ClientFactory

URL = "/api/v1/uploads/"
BYTES = "application/offset+octet-stream"
MIB = 1024 * 1024
_Usage = namedtuple("_Usage", "total used free")


def metadata(project: Any, filename: str = "kệ.zip") -> str:
    """Return the header by which an upload says what it is."""
    pairs = {"filename": filename, "project": str(project)}
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in pairs.items())


class Sender:
    """A client of the protocol, as far as the tests need one."""

    def __init__(self, client: Any, project: Project) -> None:
        self.client = client
        self.project = project

    def begin(self, length: Any, body: bytes = b"", **headers: Any) -> Any:
        """Begin an upload; a header that is None is left out."""
        wanted = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(length),
            "Upload-Metadata": metadata(self.project.pk),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        kind = BYTES if body else ""
        return self.client.generic("POST", URL, body, content_type=kind, headers=_set(wanted))

    def make(self, length: int) -> str:
        """Begin an upload; return its address."""
        answer = self.begin(length)
        assert answer.status_code == 201, answer.content
        return str(answer["Location"])

    def send(self, url: str, offset: Any, body: bytes, kind: str = BYTES, **headers: Any) -> Any:
        """Send a piece."""
        wanted = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), **headers}
        return self.client.generic("PATCH", url, body, content_type=kind, headers=_set(wanted))

    def look(self, url: str) -> Any:
        """Ask how far it is."""
        return self.client.head(url, headers={"Tus-Resumable": "1.0.0"})

    def remove(self, url: str) -> Any:
        """Remove it."""
        return self.client.delete(url, headers={"Tus-Resumable": "1.0.0"})


def _set(headers: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if value is not None}


@pytest.fixture
def sender(api: ClientFactory, editor: User, project: Project) -> Sender:
    return Sender(api(editor), project)


def row(url: str) -> Upload:
    return Upload.objects.get(pk=url.rsplit("/", 1)[-1])


def content(url: str) -> bytes:
    return arriving.path_of(row(url).pk).read_bytes()


class TestTheProtocol:
    def test_says_what_it_can(self, sender: Sender, settings: Any) -> None:
        answer = sender.client.options(URL)
        assert answer.status_code == 204
        assert answer["Tus-Version"] == answer["Tus-Resumable"] == "1.0.0"
        assert set(answer["Tus-Extension"].split(",")) == {
            *("creation", "creation-with-upload", "expiration", "termination")
        }
        assert answer["Tus-Max-Size"] == str(settings.MAX_UPLOAD_BYTES)

    def test_takes_a_file_in_pieces(self, sender: Sender) -> None:
        url = sender.make(10)
        assert url.endswith(str(Upload.objects.get().pk))
        first = sender.send(url, 0, b"01234")
        assert (first.status_code, first["Upload-Offset"]) == (204, "5")
        assert sender.send(url, 5, b"56789")["Upload-Offset"] == "10"
        assert content(url) == b"0123456789"
        assert row(url).is_complete
        assert row(url).file_name == "kệ.zip"

    def test_says_how_far_it_is(self, sender: Sender) -> None:
        url = sender.make(10)
        sender.send(url, 0, b"0123")
        answer = sender.look(url)
        assert answer.status_code == 200
        assert (answer["Upload-Offset"], answer["Upload-Length"]) == ("4", "10")
        assert answer["Cache-Control"] == "no-store"
        assert answer["Upload-Metadata"] == metadata(sender.project.pk)
        left = parse_http_date(answer["Upload-Expires"]) - timezone.now().timestamp()
        assert 23 * 3600 < left <= 24 * 3600

    def test_takes_the_first_bytes_with_the_beginning(self, sender: Sender) -> None:
        answer = sender.begin(10, b"01234")
        assert (answer.status_code, answer["Upload-Offset"]) == (201, "5")
        assert content(answer["Location"]) == b"01234"

    def test_removes_an_upload(self, sender: Sender) -> None:
        url = sender.make(10)
        sender.send(url, 0, b"0123")
        path = arriving.path_of(row(url).pk)
        assert sender.remove(url).status_code == 204
        assert not path.exists()
        assert sender.look(url).status_code == 404

    def test_takes_a_file_without_bytes(self, sender: Sender) -> None:
        assert row(sender.make(0)).is_complete

    def test_refuses_another_version(self, sender: Sender) -> None:
        url = sender.make(4)
        answers = [
            sender.begin(4, Tus_Resumable="0.2.0"),
            sender.begin(4, Tus_Resumable=None),
            sender.send(url, 0, b"x", **{"Tus-Resumable": None}),
            sender.client.head(url),
            sender.client.delete(url),
        ]
        assert [answer.status_code for answer in answers] == [412] * 5
        assert {answer["Tus-Version"] for answer in answers} == {"1.0.0"}
        assert answers[0].json()["code"] == "upload_protocol"
        assert answers[0]["Content-Type"] == "application/problem+json"


class TestABeginning:
    @pytest.mark.parametrize("length", ["", None, "-1", "1.5", "٣", "x"])
    def test_needs_a_length(self, sender: Sender, length: Any) -> None:
        answer = sender.begin(0, Upload_Length=length)
        assert (answer.status_code, answer.json()["code"]) == (400, "upload_header")

    @pytest.mark.parametrize("text", ["filename !!!", "filename /w=="])
    def test_needs_metadata_that_can_be_read(self, sender: Sender, text: str) -> None:
        answer = sender.begin(4, Upload_Metadata=text)
        assert (answer.status_code, answer.json()["code"]) == (400, "upload_header")

    def test_needs_no_project_and_no_name(self, sender: Sender) -> None:
        answer = sender.begin(4, Upload_Metadata=None)
        assert answer.status_code == 201
        assert sender.send(answer["Location"], 0, b"0123").status_code == 204
        assert "project" not in sender.look(answer["Location"])["Upload-Metadata"]

    def test_for_no_project_is_seen_by_nobody_else(
        self, api: ClientFactory, sender: Sender, owner: User
    ) -> None:
        url = sender.begin(4, Upload_Metadata=None)["Location"]
        assert Sender(api(owner), sender.project).look(url).status_code == 404

    def test_for_no_project_counts_as_its_senders(self, sender: Sender, settings: Any) -> None:
        settings.UPLOAD_QUOTA_BYTES = 10
        answers = [sender.begin(length, Upload_Metadata=None) for length in (6, 5, 4)]
        assert [answer.status_code for answer in answers] == [201, 413, 201]
        assert sender.begin(10).status_code == 201

    def test_that_is_too_large_is_refused(self, sender: Sender, settings: Any) -> None:
        settings.MAX_UPLOAD_BYTES = 100
        assert [sender.begin(n).status_code for n in (101, 10**30, 100)] == [413, 413, 201]

    def test_that_the_disk_cannot_take_is_refused(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = _Usage(10**12, 10**12, 65 * MIB)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        answer = sender.begin(2 * MIB)
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
        assert not Upload.objects.exists()

    def test_heeds_the_quota_of_the_project(self, sender: Sender, settings: Any) -> None:
        settings.UPLOAD_QUOTA_BYTES = 100
        url = sender.make(60)
        answer = sender.begin(41)
        assert (answer.status_code, answer.json()["code"]) == (413, "upload_quota")
        sender.remove(url)
        assert sender.begin(41).status_code == 201

    def test_with_a_body_of_another_type_is_refused(self, sender: Sender) -> None:
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}
        answer = sender.client.generic("POST", URL, b"{}", "application/json", headers=headers)
        assert answer.status_code == 415

    def test_with_more_bytes_than_it_says_is_refused(self, sender: Sender) -> None:
        assert sender.begin(4, b"01234").status_code == 413
        assert not Upload.objects.exists()


class TestAPiece:
    @pytest.mark.parametrize("kind", ["", "application/octet-stream", "multipart/form-data"])
    def test_of_another_type_is_refused(self, sender: Sender, kind: str) -> None:
        answer = sender.send(sender.make(4), 0, b"0123", kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "upload_content_type")

    @pytest.mark.parametrize("offset", [0, 3, 5])
    def test_at_the_wrong_place_is_refused(self, sender: Sender, offset: int) -> None:
        url = sender.make(10)
        sender.send(url, 0, b"0123")
        answer = sender.send(url, offset, b"xx")
        assert (answer.status_code, answer.json()["code"]) == (409, "upload_offset")
        assert content(url) == b"0123"

    @pytest.mark.parametrize("offset", [None, "", "-1", "a"])
    def test_without_a_place_is_refused(self, sender: Sender, offset: Any) -> None:
        answer = sender.send(sender.make(4), 0, b"x", **{"Upload-Offset": offset})
        assert (answer.status_code, answer.json()["code"]) == (400, "upload_header")

    def test_that_is_too_long_is_refused(self, sender: Sender) -> None:
        url = sender.make(4)
        assert sender.send(url, 0, b"01234").status_code == 413
        assert sender.look(url)["Upload-Offset"] == "0"

    def test_after_a_kill_replaces_what_was_not_counted(self, sender: Sender) -> None:
        url = sender.make(10)
        sender.send(url, 0, b"01234")
        with arriving.path_of(row(url).pk).open("ab") as file:
            file.write(b"written, never counted")
        assert sender.look(url)["Upload-Offset"] == "5"
        sender.send(url, 5, b"5")
        assert content(url) == b"012345"

    def test_of_a_file_that_was_lost_says_so(self, sender: Sender) -> None:
        url = sender.make(10)
        sender.send(url, 0, b"01234")
        os.truncate(arriving.path_of(row(url).pk), 3)
        answer = sender.send(url, 5, b"5")
        assert (answer.status_code, answer.json()["code"]) == (500, "stored_file_damaged")

    def test_while_another_is_on_is_refused(self, sender: Sender) -> None:
        url = sender.make(10)
        with arriving.held(arriving.path_of(row(url).pk)):
            answers = [sender.send(url, 0, b"x"), sender.remove(url)]
        assert [answer.status_code for answer in answers] == [423, 423]
        assert sender.send(url, 0, b"x").status_code == 204

    def test_is_durable_before_it_counts(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url, seen, fsync = sender.make(4), [], os.fsync

        def watched(descriptor: int) -> None:
            seen.append((os.fstat(descriptor).st_size, row(url).offset))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", watched)
        sender.send(url, 0, b"0123")
        assert seen == [(4, 0)]

    def test_that_comes_a_second_time_makes_the_wait_start_anew(self, sender: Sender) -> None:
        url = sender.make(10)
        Upload.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
        sender.send(url, 0, b"0")
        assert row(url).expires_at > timezone.now() + timedelta(hours=23)


class _Breaks:
    """Bytes whose sender goes away in the middle."""

    def __init__(self, size: int, error: Exception | None = None) -> None:
        self.left = size
        self.error = error

    def read(self, size: int, /) -> bytes:
        if not self.left and self.error:
            raise self.error
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


class TestAppending:
    def test_keeps_what_came_before_it_broke_off(self, project: Project, owner: User) -> None:
        upload = factories.make_upload(project, owner, length=10 * MIB)
        with pytest.raises(ConnectionError):
            arriving.append(upload, 0, _Breaks(3 * MIB, ConnectionError()))
        assert Upload.objects.get().offset == 3 * MIB

    def test_never_goes_beyond_the_length(self, project: Project, owner: User) -> None:
        upload = factories.make_upload(project, owner, length=3 * MIB)
        with pytest.raises(UserError, match="upload_too_long"):
            arriving.append(upload, 0, _Breaks(5 * MIB))
        assert arriving.path_of(upload.pk).stat().st_size <= 3 * MIB

    def test_takes_little_memory(self, project: Project, owner: User) -> None:
        upload = factories.make_upload(project, owner, length=200 * MIB)
        tracemalloc.start()
        arriving.append(upload, 0, _Breaks(200 * MIB))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert Upload.objects.get().offset == 200 * MIB
        assert peak < 8 * MIB
        arriving.remove(upload)

    def test_of_what_was_removed_meanwhile_fails(self, project: Project, owner: User) -> None:
        upload = factories.make_upload(project, owner)
        Upload.objects.all().delete()
        with pytest.raises(Upload.DoesNotExist):
            arriving.append(upload, 0, _Breaks(4))


class TestExpiry:
    def test_hides_and_then_removes(self, sender: Sender) -> None:
        url, other = sender.make(4), sender.make(4)
        sender.send(url, 0, b"01")
        path = arriving.path_of(row(url).pk)
        Upload.objects.filter(pk=row(url).pk).update(expires_at=timezone.now())
        assert sender.look(url).status_code == 404
        assert arriving.remove_expired() == 1
        assert not path.exists()
        assert sender.look(other).status_code == 200

    def test_removes_bytes_that_belong_to_none(self, project: Project, owner: User) -> None:
        uploads = [factories.make_upload(project, owner) for _ in range(2)]
        paths = [arriving.path_of(upload.pk) for upload in uploads]
        for path in paths:
            with arriving.held(path):
                os.utime(path, (0, 0))
        uploads[0].delete()
        arriving.remove_expired()
        assert [path.exists() for path in paths] == [False, True]


class TestWho:
    @pytest.mark.parametrize("who", ["outsider", "viewer", "owner"])
    def test_others_do_not_see_it(
        self, sender: Sender, api: ClientFactory, request: Any, who: str
    ) -> None:
        url = sender.make(4)
        other = Sender(api(request.getfixturevalue(who)), sender.project)
        answers = [other.look(url), other.send(url, 0, b"x"), other.remove(url)]
        assert [answer.status_code for answer in answers] == [404] * 3

    @pytest.mark.parametrize(("who", "status"), [("outsider", 400), ("viewer", 403)])
    def test_not_everybody_may_begin_one(
        self, sender: Sender, api: ClientFactory, request: Any, who: str, status: int
    ) -> None:
        other = Sender(api(request.getfixturevalue(who)), sender.project)
        assert other.begin(4).status_code == status

    def test_who_has_lost_the_role_may_not_go_on(self, sender: Sender, editor: User) -> None:
        url = sender.make(4)
        editor.memberships.update(role="viewer")
        assert sender.send(url, 0, b"x").status_code == 403

    @pytest.mark.parametrize(("scope", "status"), [("import", 201), ("read", 403)])
    def test_a_token_needs_the_scope(
        self, api: ClientFactory, editor: User, project: Project, scope: str, status: int
    ) -> None:
        sender = Sender(api(editor, scope), project)
        answer = sender.begin(4)
        assert answer.status_code == status
        if status == 201:
            assert sender.look(answer["Location"]).status_code == 200

    def test_a_session_needs_its_csrf_token(self, sender: Sender) -> None:
        sender.client.handler.enforce_csrf_checks = True
        answer = sender.begin(4)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
