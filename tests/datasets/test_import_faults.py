"""An import that is cut off, canceled, overtaken or out of room: it is whole, or it is nothing."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from accounts.models import User
from datasets import picture_store, services
from datasets.models import Dataset, DatasetImage, DatasetVersion, Import, Picture
from datasets.tasks import run_import
from jobs import queue, reconcile, transitions
from jobs.errors import CancelRequested, UserError
from jobs.reporter import Reporter
from jobs.states import Status
from projects.models import Project
from projects.services import delete_project
from storage.errors import StorageError
from storage.leftovers import sweep_halves
from tests.datasets.importing import (
    Bring,
    fresh,
    import_zip,
    labelled_files,
    labelled_zip,
    queue_zip,
    stored_files,
)
from tests.datasets.samples import picture, with_orientation
from tests.factories import make_project
from tests.storage.zips import zip_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_delivery")]

Hook = Callable[[], None]


def test_pictures_that_are_kept_as_the_same_bytes_are_one_while_it_is_written(
    project: Project, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = picture_store._write_files

    def slowly(*args: Any) -> None:
        time.sleep(0.3)
        real(*args)

    monkeypatch.setattr(picture_store, "_write_files", slowly)
    monkeypatch.setattr(picture_store, "_MOST_TOGETHER", 4)
    files = labelled_files(9)
    # The same pixels with another comment: another file, of which the same is kept.
    first = files["images/ảnh 0.jpg"]
    assert isinstance(first, bytes)
    files["images/ảnh z.jpg"] = first[:2] + b"\xff\xfe\x00\x06nhe!" + first[2:]
    files["labels/ảnh z.txt"] = files["labels/ảnh 0.txt"]
    order = ["data.yaml", "images/ảnh 0.jpg", *(f"images/ảnh {n}.jpg" for n in range(1, 4))]
    order += ["images/ảnh z.jpg"]
    ordered = {name: files[name] for name in order} | files
    job = import_zip(project, editor, zip_of(ordered))
    assert job.status == Status.SUCCEEDED, job.error
    assert Picture.objects.filter(project=project).count() == 9
    assert job.version.images.count() == 9


def whole_files() -> set[str]:
    """Return what is stored, without what killed processes left half-written."""
    sweep_halves(older_than=timedelta(0))
    return stored_files()


@contextmanager
def steps(monkeypatch: pytest.MonkeyPatch, hook: Hook) -> Iterator[None]:
    """Call a hook before and after each file that an import stores, and around each of its writes.

    A write is met three times: before its transaction, before its commit, and behind it.
    """
    real_fenced, real_put, real_finish = (
        transitions.fenced,
        picture_store.put_file,
        transitions.finish,
    )

    @contextmanager
    def fenced(*args: Any, **kwargs: Any) -> Iterator[None]:
        hook()
        with real_fenced(*args, **kwargs):
            yield
            hook()
        hook()

    def put_file(*args: Any, **kwargs: Any) -> Any:
        hook()
        written = real_put(*args, **kwargs)
        hook()
        return written

    def finish(*args: Any, **kwargs: Any) -> bool:
        hook()
        return real_finish(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(transitions, "fenced", fenced)
        patch.setattr(picture_store, "put_file", put_file)
        patch.setattr(transitions, "finish", finish)
        yield


def at(number: int, act: Hook) -> Hook:
    """Return a hook that acts at its n-th call, outside of transactions from there on, once."""
    seen, acted = 0, False

    def hook() -> None:
        nonlocal seen, acted
        seen += 1
        if seen >= number and not acted and not connection.in_atomic_block:
            acted = True
            act()

    return hook


def killed_at(number: int, job: Import, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Work in a process that is killed at its n-th step; tell whether it came to that."""
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        seen = 0

        def hook() -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            with steps(monkeypatch, hook):
                run_import(str(job.pk))
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def test_killed_again_and_again_it_becomes_what_it_would_have_been(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = labelled_files(4)
    files["images/bản sao.jpg"] = files["images/ảnh 0.jpg"]
    files["labels/bản sao.txt"] = "1 0.1 0.1 0.1 0.1\n"
    files["images/điện thoại.jpg"] = with_orientation(picture(), 6)
    files["images/hỏng.jpg"] = b"no picture"
    content = zip_of(files)
    wanted = import_zip(make_project(), owner, content).version
    before = whole_files()
    monkeypatch.setattr(Import, "max_losses", 1000)
    job = queue_zip(project, owner, content)

    kills = 0
    while killed_at(1 + kills * 3, job, monkeypatch):
        kills += 1
        now = fresh(job)
        assert now.version.status == DatasetVersion.Status.IMPORTING
        assert not DatasetImage.objects.whole().filter(version=now.version).exists()
        assert reconcile.worker_gone(worker=now.worker) == 1

    assert kills > 6
    done = fresh(job)
    assert done.status == Status.SUCCEEDED
    assert done.attempt == kills + 1
    version = done.version
    assert version.fingerprint == wanted.fingerprint
    assert version.warnings == wanted.warnings
    assert (version.train_images, version.val_images) == (wanted.train_images, wanted.val_images)
    assert list(version.classes.values_list("name", "boxes", "images")) == list(
        wanted.classes.values_list("name", "boxes", "images")
    )
    assert Picture.objects.filter(project=project).count() == 5
    assert len(whole_files() - before) == 10


def test_three_losses_without_a_new_picture_end_it_and_it_may_be_tried_again(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue_zip(project, owner, labelled_zip(4))
    for _ in range(3):
        assert killed_at(1, job, monkeypatch)
        reconcile.worker_gone(worker=fresh(job).worker)

    job = fresh(job)
    assert (job.status, job.error["code"]) == (Status.FAILED, "worker_lost")
    assert job.version.status == DatasetVersion.Status.FAILED

    services.retry_import(job=job)
    run_import(str(job.pk))

    job = fresh(job)
    assert (job.status, job.version.images_total) == (Status.SUCCEEDED, 4)
    assert not job.file


def test_losses_do_not_count_while_pictures_arrive(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue_zip(project, owner, labelled_zip(40))
    # The rows of eight pictures are written together: each attempt gets eight further.
    for _ in range(4):
        assert killed_at(8, job, monkeypatch)
        reconcile.worker_gone(worker=fresh(job).worker)
    run_import(str(job.pk))

    assert fresh(job).status == Status.SUCCEEDED
    assert fresh(job).losses == 0


@pytest.mark.parametrize("number", [1, 9, 20, 26, 32])
def test_a_frozen_attempt_that_wakes_up_writes_nothing_more(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    job = queue_zip(project, owner, labelled_zip(4))

    def overtaken() -> None:
        """Another worker takes the import and finishes it meanwhile."""
        transitions.take_back(fresh(job))
        run_import(str(job.pk))
        assert fresh(job).status == Status.SUCCEEDED

    with steps(monkeypatch, at(number, overtaken)):
        run_import(str(job.pk))

    done = fresh(job)
    assert (done.status, done.attempt) == (Status.SUCCEEDED, 2)
    assert done.version.images.count() == done.version.images_total == 4
    assert all(image.picture.file.storage.exists(image.picture.file.name)
               for image in done.version.images.select_related("picture"))  # fmt: skip


@pytest.mark.parametrize("number", [1, 2, 8, 9, 11])
def test_a_canceled_import_leaves_nothing(
    bring: Bring, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before, calls = whole_files(), 0

    def look(_: Reporter) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise CancelRequested

    monkeypatch.setattr(Reporter, "raise_if_cancelled", look)
    job = bring(labelled_zip(8))

    assert job.status == Status.CANCELED
    assert job.version.status == DatasetVersion.Status.FAILED
    assert not job.file
    assert_nothing_is_left(before)


def test_one_that_is_canceled_before_it_began_leaves_nothing(project: Project, owner: User) -> None:
    before = whole_files()
    job = queue_zip(project, owner, labelled_zip(4))
    queue.cancel(job)
    run_import(str(job.pk))

    assert fresh(job).status == Status.CANCELED
    assert fresh(job).version.status == DatasetVersion.Status.FAILED
    assert_nothing_is_left(before)


def test_canceled_while_its_worker_is_dead_it_leaves_nothing(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = whole_files()
    job = queue_zip(project, owner, labelled_zip(4))
    assert killed_at(25, job, monkeypatch)
    assert DatasetImage.objects.filter(version=job.version).exists()
    queue.cancel(fresh(job))
    reconcile.worker_gone(worker=fresh(job).worker)

    assert fresh(job).status == Status.CANCELED
    assert not fresh(job).file
    assert not DatasetImage.objects.exists()
    # The pictures go with the next import's end.
    import_zip(project, owner, b"no ZIP", dataset_name="later")
    assert_nothing_is_left(before)


@pytest.mark.parametrize("number", [1, 9, 24, 30])
@pytest.mark.parametrize("what", ["dataset", "project"])
def test_what_is_deleted_under_an_import_stays_deleted(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch, number: int, what: str
) -> None:
    before = whole_files()
    job = queue_zip(project, owner, labelled_zip(4))

    def delete() -> None:
        if what == "project":
            delete_project(project=project)
        else:
            services.delete_dataset(dataset=job.version.dataset)

    with steps(monkeypatch, at(number, delete)):
        run_import(str(job.pk))

    assert not Import.objects.exists()
    assert not Dataset.objects.exists()
    if what == "dataset":
        assert_nothing_is_left(before)


@pytest.mark.parametrize("number", [0, 3, 7])
def test_a_full_disk_is_said_with_numbers_and_the_upload_waits(
    bring: Bring, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before, real, written = whole_files(), picture_store.put_file, 0

    def put_file(*args: Any, **kwargs: Any) -> Any:
        nonlocal written
        written += 1
        if written > number:
            raise StorageError("storage_full", free_mb=3)
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(picture_store, "put_file", put_file)
        job = bring(labelled_zip(4))

    assert (job.status, job.error["code"]) == (Status.FAILED, "storage_full")
    assert "3 MB" in UserError(job.error["code"], **job.error["params"]).message
    assert {name.rsplit(".", 1)[1] for name in whole_files() - before} == {"zip"}
    assert not Picture.objects.exists()

    services.retry_import(job=job)
    run_import(str(job.pk))
    assert fresh(job).status == Status.SUCCEEDED


def test_a_failure_of_ours_names_an_incident_and_keeps_the_upload(
    bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr("datasets.import_split.assign", broken)
    job = bring(labelled_zip(4))

    assert (job.status, job.error["code"]) == (Status.FAILED, "internal")
    assert job.may_be_retried
    assert not DatasetImage.objects.exists()
    assert not Picture.objects.exists()


def test_what_the_uploader_did_wrong_is_not_tried_again(bring: Bring) -> None:
    job = bring(b"no ZIP")
    with pytest.raises(UserError, match="upload_gone"):
        services.retry_import(job=job)
    assert fresh(job).status == Status.FAILED


@pytest.mark.parametrize(
    ("kind", "left"),
    [("file", None), ("file", 0), ("file", 200), ("thumbnail", None), ("thumbnail", 0)],
)
def test_a_picture_whose_file_was_lost_or_cut_short_is_stored_again(
    bring: Bring, kind: str, left: int | None
) -> None:
    first = bring(labelled_zip(3))
    picture = Picture.objects.earliest("created_at")
    path = Path(getattr(picture, kind).path)
    before = path.read_bytes()
    path.unlink()
    if left is not None:
        path.write_bytes(before[:left])

    second = bring(labelled_zip(3), dataset=first.version.dataset)

    assert second.status == Status.SUCCEEDED
    assert path.read_bytes() == before


def assert_nothing_is_left(before: set[str]) -> None:
    """No picture, image or file is there that was not there before."""
    assert not DatasetImage.objects.exists()
    assert not Picture.objects.exists()
    assert whole_files() == before
