"""An import of what arrived in pieces: once, moved, by its sender, in its project."""

import os
from pathlib import Path
from typing import Any

import pytest

from accounts.idempotency import _Key
from accounts.models import User
from datasets import arriving
from datasets.models import Import, Upload
from datasets.tasks import run_import
from jobs.states import Status
from projects.models import Project
from tests import factories
from tests.datasets.importing import fresh, labelled_zip
from tests.datasets.test_tus import Sender
from tests.personas import ClientFactory

URL = "/api/v1/imports/"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_delivery"),
]


@pytest.fixture
def sender(api: ClientFactory, editor: User, project: Project) -> Sender:
    return Sender(api(editor), project)


def send_all(sender: Sender, content: bytes, piece: int = 1000) -> str:
    """Send a file in pieces; return its id."""
    url = sender.make(len(content))
    for offset in range(0, len(content), piece):
        answer = sender.send(url, offset, content[offset : offset + piece])
        assert answer.status_code == 204, answer.content
    return url.rsplit("/", 1)[-1]


def ask(sender: Sender, upload: str, *, key: str = "", **more: Any) -> Any:
    """Ask for the import."""
    headers = {"Idempotency-Key": key} if key else {}
    body = {"project": str(sender.project.pk), "upload": upload, **more}
    return sender.client.post(URL, body, format="json", headers=headers)


def test_it_becomes_a_version_and_is_moved(sender: Sender) -> None:
    upload = send_all(sender, labelled_zip(6))
    part = arriving.path_of(Upload.objects.get().pk)
    inode = part.stat().st_ino
    answer = ask(sender, upload, dataset_name="Kệ")
    assert answer.status_code == 202, answer.content
    job = Import.objects.get(pk=answer.json()["id"])
    assert (job.file_name, Path(job.file.path).stat().st_ino) == ("kệ.zip", inode)
    assert list(part.parent.glob(f"{part.stem}*")) == []
    assert not Upload.objects.exists()
    run_import(str(job.pk))
    job = fresh(job)
    assert job.status == Status.SUCCEEDED, job.error
    assert job.version.train_images + job.version.val_images == 6


def test_it_is_used_once(sender: Sender) -> None:
    upload = send_all(sender, labelled_zip(2))
    assert ask(sender, upload).status_code == 202
    answer = ask(sender, upload, dataset_name="again")
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_used")
    assert Import.objects.count() == 1


def test_with_a_key_it_gives_the_same_answer_again(sender: Sender) -> None:
    upload = send_all(sender, labelled_zip(2))
    answers = [ask(sender, upload, key="once") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]


def test_with_a_key_the_slower_of_two_gets_the_answer_of_the_faster(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = send_all(sender, labelled_zip(2))
    first = ask(sender, upload, key="once")
    looks, known_answer = [], _Key.known_answer

    def too_early_at_first(key: Any) -> Any:
        looks.append(key)
        return known_answer(key) if len(looks) > 1 else None

    monkeypatch.setattr(_Key, "known_answer", too_early_at_first)
    slower = ask(sender, upload, key="once")
    assert (slower.status_code, slower.json()["id"]) == (202, first.json()["id"])


def test_it_has_to_be_complete(sender: Sender) -> None:
    url = sender.make(10)
    sender.send(url, 0, b"0123")
    answer = ask(sender, url.rsplit("/", 1)[-1])
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")
    assert "4 of 10" in answer.json()["detail"]


@pytest.mark.parametrize("who", ["owner", "outsider"])
def test_another_users_upload_does_not_exist(
    sender: Sender, api: ClientFactory, request: Any, who: str
) -> None:
    upload = send_all(sender, b"0123")
    answer = ask(Sender(api(request.getfixturevalue(who)), sender.project), upload)
    assert answer.status_code == 400
    codes = {error["field"]: error["code"] for error in answer.json()["errors"]}
    assert codes["upload"] == "does_not_exist"


def test_it_stays_in_its_project(sender: Sender, editor: User) -> None:
    upload = send_all(sender, b"0123")
    answer = ask(Sender(sender.client, factories.make_project(editor)), upload)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "upload"


def test_a_file_and_an_upload_are_one_too_many(sender: Sender) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    body = {
        "project": str(sender.project.pk),
        "upload": send_all(sender, b"0123"),
        "file": SimpleUploadedFile("a.zip", b"x"),
    }
    answer = sender.client.post(URL, body, format="multipart")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "upload"


def test_one_that_is_refused_can_be_used_again(sender: Sender) -> None:
    factories.make_version(factories.make_dataset(sender.project, name="Kệ"))
    upload = send_all(sender, labelled_zip(2))
    answer = ask(sender, upload, dataset_name="Kệ")
    assert (answer.status_code, answer.json()["code"]) == (409, "dataset_name_taken")
    assert arriving.path_of(Upload.objects.get().pk).is_file()
    assert ask(sender, upload, dataset_name="Kệ 2").status_code == 202


def test_a_kill_after_the_move_costs_nothing(sender: Sender) -> None:
    upload = send_all(sender, labelled_zip(2))
    part = arriving.path_of(Upload.objects.get().pk)
    target = part.parent.parent / "imports" / f"{upload}.zip"
    target.parent.mkdir(exist_ok=True)
    part.rename(target)
    assert ask(sender, upload).status_code == 202
    assert target.is_file()


def test_bytes_that_are_gone_are_missed(sender: Sender) -> None:
    upload = send_all(sender, b"0123")
    part = arriving.path_of(Upload.objects.get().pk)
    os.truncate(part, 2)
    assert ask(sender, upload).json()["code"] == "stored_file_damaged"
    part.unlink()
    assert ask(sender, upload).json()["code"] == "upload_gone"


def test_a_file_without_bytes_gets_as_far_as_the_worker(sender: Sender) -> None:
    answer = ask(sender, send_all(sender, b""))
    run_import(answer.json()["id"])
    assert fresh(Import.objects.get()).error["code"] == "archive_empty_file"
