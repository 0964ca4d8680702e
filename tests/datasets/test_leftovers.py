"""What killed processes leave, and what has expired, goes; what is in use or young stays."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.files.storage import storages
from django.utils import timezone

from accounts.models import User
from datasets.leftovers import remove_spent_uploads, remove_unowned_uploads
from datasets.models import Import
from jobs import housekeeping
from jobs.states import Status
from projects.models import Project
from storage.leftovers import sweep_halves
from storage.local import parts_folder, put_file
from tests.datasets.importing import import_zip, labelled_zip, queue_zip, stored_files

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_delivery")]

NOW = timedelta(0)
DAYS = 24 * 3600


class Killed(BaseException):
    """Nobody tidies up after it."""


def age(path: Path, days: float) -> None:
    """Make a file or folder old."""
    then = time.time() - days * DAYS
    os.utime(path, (then, then))


def written(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    age(path, days)
    return path


class TestHalves:
    def test_the_old_ones_go(self) -> None:
        tmp = Path(settings.FILE_UPLOAD_TEMP_DIR)
        parts = parts_folder(storages["images"])
        folder = written(tmp / "fetched" / "file.zip", 3).parent
        age(folder, 3)
        old = [written(tmp / "a.upload.zip", 3), written(parts / ".a.part", 3), folder]
        young = [written(tmp / "b.upload.zip", 1), written(parts / ".b.part", 1)]

        assert sweep_halves() == 3

        assert [path.exists() for path in [*old, *young]] == [False, False, False, True, True]
        sweep_halves(older_than=NOW)

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"x")
        link = Path(settings.FILE_UPLOAD_TEMP_DIR) / "link"
        link.symlink_to(tmp_path)

        sweep_halves(older_than=NOW)

        assert not link.is_symlink()
        assert (tmp_path / "a").exists()

    def test_what_is_written_lies_where_it_is_swept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Killed in the middle: nothing is beside the pictures, and the sweep finds the rest."""
        before = stored_files()

        def chunks() -> Iterator[bytes]:
            yield b"half"
            monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
            raise Killed

        with pytest.raises(Killed):
            put_file(storages["images"], "aa/b.jpg", chunks())
        monkeypatch.undo()

        assert {Path(name).parent.name for name in stored_files() - before} == {".parts"}
        assert sweep_halves(older_than=NOW) == 1
        assert stored_files() == before


class TestUploads:
    def test_one_without_an_import_goes_when_it_is_old(self, project: Project, owner: User) -> None:
        waiting = queue_zip(project, owner, labelled_zip(2))
        age(Path(waiting.file.path), 9)
        unowned = queue_zip(project, owner, labelled_zip(3), dataset_name="x")
        Import.objects.filter(pk=unowned.pk).delete()

        assert remove_unowned_uploads() == 0
        age(Path(unowned.file.path), 3)
        assert remove_unowned_uploads() == 1

        assert not Path(unowned.file.path).exists()
        assert Path(waiting.file.path).exists()

    def test_one_whose_import_has_ended_goes(self, project: Project, owner: User) -> None:
        jobs = {
            status: queue_zip(project, owner, labelled_zip(2), dataset_name=status)
            for status in (Status.QUEUED, Status.SUCCEEDED, Status.CANCELED, Status.FAILED)
        }
        for status, job in jobs.items():
            Import.objects.filter(pk=job.pk).update(status=status, finished_at=timezone.now())

        remove_spent_uploads()

        there = {status for status, job in jobs.items() if Path(job.file.path).exists()}
        assert there == {Status.QUEUED, Status.FAILED}
        Import.objects.update(finished_at=timezone.now() - timedelta(days=8))
        remove_spent_uploads()
        assert not Path(jobs[Status.FAILED].file.path).exists()


class TestHousekeeping:
    def test_all_of_it_is_done_though_some_of_it_fails(self, project: Project, owner: User) -> None:
        past = timezone.now() - timedelta(days=1)
        Session.objects.create(session_key="old", session_data="", expire_date=past)
        job = queue_zip(project, owner, labelled_zip(2))
        Import.objects.filter(pk=job.pk).delete()
        age(Path(job.file.path), 3)

        def fails(**_: Any) -> None:
            raise RuntimeError

        housekeeping.housekeeping.connect(fails)
        try:
            housekeeping.keep_house()
        finally:
            housekeeping.housekeeping.disconnect(fails)

        assert not Session.objects.exists()
        assert not Path(job.file.path).exists()

    def test_it_is_begun_once_an_hour(self, monkeypatch: pytest.MonkeyPatch) -> None:
        done, clock = [], [100.0]
        monkeypatch.setattr(housekeeping, "_in_thread", lambda: done.append(clock[0]))
        monkeypatch.setattr(housekeeping.time, "monotonic", lambda: clock[0])
        keeper = housekeeping.Housekeeper()
        for clock[0] in (100.0, 101.0, 3699.0, 3701.0, 3702.0):
            keeper.begin_if_due()
            if keeper._thread:
                keeper._thread.join()
        assert done == [100.0, 3701.0]

    def test_what_is_in_use_stays(self, project: Project, owner: User) -> None:
        before = stored_files()
        import_zip(project, owner, labelled_zip(3))
        new = stored_files() - before
        for name in new:
            age(Path(name), 30)

        housekeeping.keep_house()

        assert len(new) == 6
        assert stored_files() - before == new
