"""A file that is gone is not a storage that is away."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from storage.disk import DiskStorage
from storage.presence import is_missing
from tests.services.s3 import S3Server

NAME = "ab/there.jpg"


def test_of_one_that_answers_only_what_is_not_there_is_missing(any_storage: Storage) -> None:
    any_storage.save(NAME, ContentFile(b"x"))
    assert not is_missing(any_storage, NAME)
    assert is_missing(any_storage, "ab/gone.jpg")
    assert is_missing(any_storage, "cd/gone.jpg")


class TestADiskThatIsNotMounted:
    @pytest.fixture
    def storage(self, tmp_path: Path) -> DiskStorage:
        storage = DiskStorage(str(tmp_path / "images"))
        storage.save(NAME, ContentFile(b"x"))
        return storage

    def test_leaves_no_folder(self, storage: DiskStorage, tmp_path: Path) -> None:
        shutil.rmtree(tmp_path / "images")
        assert not is_missing(storage, NAME)

    def test_leaves_an_empty_folder(self, storage: DiskStorage, tmp_path: Path) -> None:
        shutil.rmtree(tmp_path / "images" / "ab")
        assert not is_missing(storage, NAME)

    def test_that_comes_back_while_it_is_asked_has_the_file(
        self, storage: DiskStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "images").rename(tmp_path / "elsewhere")
        listdir = storage.listdir

        def mount(name: str) -> tuple[list[str], list[str]]:
            (tmp_path / "elsewhere").rename(tmp_path / "images")
            return listdir(name)

        monkeypatch.setattr(storage, "listdir", mount)
        assert not is_missing(storage, NAME)


class TestS3:
    @pytest.fixture
    def stopped(self, s3_storage: Storage, s3_server: S3Server) -> Iterator[Storage]:
        s3_server.stop()
        yield s3_storage
        s3_server.start()
        s3_server.wait()
        assert not s3_storage.exists("ab/never.jpg")

    def test_without_an_answer_nothing_is_known(self, stopped: Storage) -> None:
        with pytest.raises(Exception, match="connect"):
            is_missing(stopped, NAME)

    def test_without_the_bucket_nothing_is_known(self, s3_server: S3Server) -> None:
        other = s3_server.reach(bucket="not-there")
        with pytest.raises(Exception, match="NoSuchBucket"):
            is_missing(other, NAME)
