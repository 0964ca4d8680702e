"""Uploads that are too large, or that the disk cannot take: refused, and nothing is left behind."""

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import connection

from accounts.models import User
from cvtrainer_site.body_limit import BodyLimit
from datasets import uploads
from datasets.models import Import
from jobs.errors import UserError
from projects.models import Project
from storage.disk import DiskStorage
from storage.errors import StorageError
from tests.datasets.importing import labelled_zip, queue_file, stored_files
from tests.personas import ClientFactory
from tests.services.power import Disk

_Usage = namedtuple("_Usage", "total used free")


async def answer(
    application: Any, *parts: bytes, length: int | None = None, path: str = "imports/"
) -> tuple[int, bytes]:
    """Send a body to an address of the API; return status and body of its answer."""
    headers = [(b"accept-language", b"en"), (b"authorization", b"Bearer x")]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    scope = {"type": "http", "method": "POST", "path": f"/api/v1/{path}"}
    scope["headers"] = headers
    communicator = ApplicationCommunicator(BodyLimit(application), scope)
    for index, part in enumerate(parts or (b"",)):
        more = index + 1 < len(parts)
        await communicator.send_input({"type": "http.request", "body": part, "more_body": more})
    start = await communicator.receive_output()
    body = await communicator.receive_output()
    return start["status"], body["body"]


async def reads_all(scope: Any, receive: Any, send: Any) -> None:
    """Be an application that takes every body."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def writes_to_a_full_disk(scope: Any, receive: Any, send: Any) -> None:
    """Be an application whose disk is full."""
    raise OSError(errno.ENOSPC, "No space left on device")


class TestTheBody:
    async def test_that_is_small_enough_goes_through(self) -> None:
        assert await answer(reads_all, b"a", b"b", length=2) == (200, b"ok")

    async def test_that_says_that_it_is_too_large_is_not_read(self, settings: Any) -> None:
        settings.MAX_UPLOAD_BYTES = 1000
        status, body = await answer(reads_all, length=10**6)
        assert status == 413
        assert b"too_large" in body

    async def test_that_does_not_say_how_large_it_is_is_cut_off(self, settings: Any) -> None:
        settings.MAX_UPLOAD_BYTES = 1000
        status, _ = await answer(reads_all, *[bytes(50_000)] * 4)
        assert status == 413

    async def test_that_the_disk_cannot_take_is_refused_with_numbers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = _Usage(10**12, 10**12, 1064 * 1024**2)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        status, body = await answer(reads_all, length=600 * 1024**2)
        assert status == 507
        assert b"needs 1200 MB" in body and b"1000 MB are free" in body

    async def test_that_goes_through_in_slices_needs_its_room_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = _Usage(10**12, 10**12, 1064 * 1024**2)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        sizes = {600: 200, 1001: 507}
        for size, status in sizes.items():
            got = await answer(reads_all, length=size * 1024**2, path="uploads/x")
            assert got[0] == status

    async def test_under_which_the_disk_fills_up_is_answered_too(self) -> None:
        status, body = await answer(writes_to_a_full_disk, b"x")
        assert status == 507
        assert b"disk_full" in body


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_delivery")
class TestTheFile:
    def test_is_moved_not_copied_where_it_lies_on_the_disk(
        self, project: Project, owner: User
    ) -> None:
        file = TemporaryUploadedFile("a.zip", "application/zip", 4, None)
        file.write(b"text")
        file.flush()
        inode = os.fstat(file.file.fileno()).st_ino
        job = queue_file(project, owner, file, dataset_name="x")
        stored = Path(job.file.path).stat()
        assert (stored.st_ino, stored.st_nlink) == (inode, 1)
        assert stored.st_mode & 0o077 == 0

    def test_of_which_an_import_tells_is_there_when_the_power_fails(
        self, disk: Disk, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.FILE_UPLOAD_TEMP_DIR = disk.root
        monkeypatch.setattr(
            uploads, "uploads_storage", lambda: DiskStorage(str(disk.root / "uploads"))
        )
        content = os.urandom(2_000_000)
        file = TemporaryUploadedFile("a.zip", "application/zip", len(content), None)
        file.write(content)
        file.flush()
        with uploads.stored_upload(file) as stored:
            stored.is_taken = True
        assert (disk.cut() / "uploads" / stored.name).read_bytes() == content

    def test_that_does_not_fit_leaves_nothing(
        self, project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any, **__: Any) -> Any:
            raise StorageError("storage_full", free_mb=7)

        before = stored_files()
        monkeypatch.setattr(uploads, "put_file", full)
        file = SimpleUploadedFile("a.zip", labelled_zip(2))
        with pytest.raises(UserError, match="storage_full") as caught:
            queue_file(project, owner, file)
        assert caught.value.status == 507
        assert "7 MB" in caught.value.message
        assert not Import.objects.exists()
        assert stored_files() == before

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("../../etc/passwd.zip", "passwd.zip"),
            ("A\u0309nh\u202egpj.zip", "Ảnh gpj.zip"),
            ("x" * 400 + ".zip", "x" * 251 + ".zip"),
        ],
    )
    def test_has_a_name_that_is_only_shown(
        self, project: Project, owner: User, name: str, shown: str
    ) -> None:
        file = SimpleUploadedFile("a.zip", b"x")
        file._name = name  # as a client sends it, past Django's own care
        job = queue_file(project, owner, file)
        assert job.file_name == shown
        assert job.file.name == f"imports/{job.pk}.zip"
        assert len(job.version.dataset.name) <= 100

    def test_is_stored_before_anything_is_locked(
        self, project: Project, owner: User, api: ClientFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On SQLite nobody writes while a transaction is open, and 20 GB take their time."""
        real, locked = uploads._store, []

        def store(*args: Any) -> None:
            locked.append(connection.in_atomic_block)
            real(*args)

        monkeypatch.setattr(uploads, "_store", store)
        before, content = stored_files(), labelled_zip(2)
        answers = [
            api(owner).post(
                "/api/v1/imports/",
                {"project": str(project.pk), "file": SimpleUploadedFile("a.zip", content)},
                format="multipart",
                headers={"Idempotency-Key": "once"},
            )
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        assert locked == [False]
        assert len(stored_files() - before) == 1
