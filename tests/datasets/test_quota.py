"""What a project's uploads may take before they are imported, whichever way they come."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from datasets.models import Import, Upload
from datasets.quota import quota_of
from datasets.tasks import run_import
from jobs import queue
from projects.models import Project
from tests import factories
from tests.datasets.importing import labelled_zip, queue_zip, stored_files
from tests.datasets.test_tus import Sender
from tests.datasets.test_tus_import import ask, send_all
from tests.personas import ClientFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_delivery"),
]

ZIP = labelled_zip(4)
SIZE = len(ZIP)


@pytest.fixture
def sender(api: ClientFactory, editor: User, project: Project) -> Sender:
    return Sender(api(editor), project)


@pytest.fixture(autouse=True)
def room_for_two(settings: Any) -> None:
    """Two files and a half."""
    settings.UPLOAD_QUOTA_BYTES = SIZE * 5 // 2


def post(sender: Sender, **more: Any) -> Any:
    """Send a file in one request."""
    body = {"project": str(sender.project.pk), "file": SimpleUploadedFile("a.zip", ZIP), **more}
    return sender.client.post("/api/v1/imports/", body, format="multipart")


def used(project: Project, user: User) -> int:
    return quota_of(project, user).used


def test_what_waits_to_be_imported_counts_until_it_is(
    sender: Sender, project: Project, editor: User
) -> None:
    job = queue_zip(project, editor, ZIP)
    sender.make(SIZE)
    assert used(project, editor) == 2 * SIZE
    answer = sender.begin(SIZE)
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_quota")
    run_import(str(job.pk))
    assert used(project, editor) == SIZE
    assert sender.begin(SIZE).status_code == 201


def test_a_file_in_one_request_is_no_way_around(
    sender: Sender, project: Project, editor: User
) -> None:
    for name in ("a", "b"):
        assert post(sender, dataset_name=name).status_code == 202
    before = stored_files()
    answer = post(sender, dataset_name="c")
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_quota")
    assert stored_files() == before
    assert Import.objects.count() == 2
    queue.cancel(Import.objects.latest("created_at"))
    assert post(sender, dataset_name="c").status_code == 202


def test_what_came_in_pieces_had_its_room_from_the_start(
    sender: Sender, project: Project, editor: User
) -> None:
    ready = [send_all(sender, ZIP) for _ in range(2)]
    assert used(project, editor) == 2 * SIZE
    for number, upload in enumerate(ready):
        assert ask(sender, upload, dataset_name=f"{number}").status_code == 202
        assert used(project, editor) == 2 * SIZE


def test_the_file_of_a_failed_import_counts_as_long_as_it_is_kept(
    sender: Sender, project: Project, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue_zip(project, editor, ZIP)
    monkeypatch.setattr("datasets.ingest.Ingest.run", lambda _: 1 / 0)
    run_import(str(job.pk))
    job.refresh_from_db()
    assert job.may_be_retried
    assert used(project, editor) == SIZE
    job.drop_upload()
    assert used(project, editor) == 0


def test_of_a_file_that_is_no_good_nothing_counts(
    sender: Sender, project: Project, editor: User
) -> None:
    job = queue_zip(project, editor, b"no ZIP at all")
    assert used(project, editor) == 13
    run_import(str(job.pk))
    assert used(project, editor) == 0


def test_each_project_has_its_own(sender: Sender, project: Project, editor: User) -> None:
    queue_zip(project, editor, ZIP)
    other = factories.make_project(editor)
    assert used(other, editor) == 0
    factories.make_upload(other, editor, length=SIZE)
    Upload.objects.create(
        user=editor, file_name="a", length=7, expires_at=Upload.objects.get().expires_at
    )
    assert (used(other, editor), used(project, editor)) == (SIZE, SIZE)
    assert quota_of(None, editor).used == 7


@pytest.mark.parametrize(("count", "said"), [(1, ""), (2, "is-warn"), (3, "is-bad")])
def test_the_page_says_when_it_is_nearly_or_wholly_used(
    api: ClientFactory, sender: Sender, project: Project, editor: User, count: int, said: str
) -> None:
    for _ in range(count):
        factories.make_upload(project, editor, length=SIZE)
    text = api(editor).get(f"/projects/{project.pk}/import/").content.decode()
    found = [tone for tone in ("is-warn", "is-bad") if f"notice {tone}" in text]
    assert found == ([said] if said else [])
