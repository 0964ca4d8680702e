"""What is saved on a disk is there whole, and stays there when the power fails."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.utils.module_loading import import_string

from cvtrainer_site import env
from storage.disk import DiskStorage
from storage.local import make_durable, move_file, put_file
from tests.services.power import Disk

NAME, CONTENT = "runs/17/1-3.pt", os.urandom(3_000_000)


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(str(tmp_path / "weights"))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is asked of the system, in order, with the place."""
    asked: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def syncing(descriptor: int) -> None:
        fsync(descriptor)
        asked.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))

    def replacing(self: Path, target: Path) -> Path:
        asked.append(("replace", str(target)))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(Path, "replace", replacing)
    return asked


class TestWhenThePowerFails:
    """A copy of a mounted disk's image: what the system still keeps in memory is not in it."""

    @pytest.mark.parametrize("alias", ["weights", "artifacts", "uploads", "images"])
    def test_what_was_saved_is_there(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch, alias: str
    ) -> None:
        monkeypatch.setenv("STORAGE_URL", disk.root.as_uri())
        entry = env.storages((alias,))[alias]
        storage = import_string(str(entry["BACKEND"]))(**entry["OPTIONS"])
        storage.save(NAME, ContentFile(CONTENT))
        assert (disk.cut() / alias / NAME).read_bytes() == CONTENT

    def test_what_was_moved_to_its_place_is_there(self, disk: Disk) -> None:
        (disk.root / "tmp").mkdir()
        (disk.root / "tmp" / "came").write_bytes(CONTENT)
        move_file(disk.root / "tmp" / "came", disk.root / "uploads" / "imports" / "a.zip")
        assert (disk.cut() / "uploads" / "imports" / "a.zip").read_bytes() == CONTENT

    def test_what_was_written_by_thousands_is_there_once_that_was_waited_for(
        self, disk: Disk
    ) -> None:
        storage = DiskStorage(str(disk.root / "images"))
        for number in range(50):
            content = CONTENT[: 5_000 * number]
            put_file(storage, f"{number}.jpg", [content], durable=False, one_of_many=True)
        make_durable(storage)
        left = disk.cut() / "images"
        for number in range(50):
            assert (left / f"{number}.jpg").read_bytes() == CONTENT[: 5_000 * number]

    def test_what_django_saves_by_itself_would_be_lost(self, disk: Disk) -> None:
        """Or else the two tests above could not fail."""
        FileSystemStorage(disk.root / "weights").save(NAME, ContentFile(CONTENT))
        left = disk.cut() / "weights" / NAME
        assert not left.exists() or left.read_bytes() != CONTENT


class TestSaving:
    def test_makes_the_bytes_durable_before_the_name_and_the_name_too(
        self, storage: DiskStorage, told: list[tuple[str, str]], tmp_path: Path
    ) -> None:
        storage.save("a", ContentFile(b"x"))
        told.clear()
        storage.save(NAME, ContentFile(CONTENT))
        root = tmp_path / "weights"
        part = told[2][1]
        assert told == [
            ("fsync", str(root)),  # which names the new folder
            ("fsync", str(root / "runs")),
            ("fsync", part),
            ("replace", str(root / NAME)),
            ("fsync", str((root / NAME).parent)),
        ]
        assert Path(part).parent == root / ".parts"

    @pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
    def test_is_refused_where_the_disk_does_not_take_it_and_what_was_there_stays(
        self, storage: DiskStorage, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        storage.save(NAME, ContentFile(b"before"))

        def refuse(descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError) as refused:
            storage.save(NAME, ContentFile(CONTENT))
        assert refused.value.errno == number
        assert storage.open(NAME).read() == b"before"
        assert storage.listdir(".parts") == ([], [])

    def test_of_nothing_yet_is_durable_at_once(self, storage: DiskStorage) -> None:
        make_durable(storage)

    def test_leaves_nothing_where_the_content_breaks_off(self, storage: DiskStorage) -> None:
        class Breaking(ContentFile):  # type: ignore[type-arg]
            def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
                yield b"half"
                raise ConnectionError

        with pytest.raises(ConnectionError):
            storage.save(NAME, Breaking(b""))
        assert not storage.exists(NAME)
        assert storage.listdir(".parts") == ([], [])

    def test_is_for_the_owner_alone(self, storage: DiskStorage, tmp_path: Path) -> None:
        storage.save(NAME, ContentFile(CONTENT))
        path = tmp_path / "weights" / NAME
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for folder in path.parents[:3]:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_takes_the_open_file_of_anybody_and_writes_over_what_has_the_name(
        self, storage: DiskStorage, tmp_path: Path
    ) -> None:
        (tmp_path / "b").write_bytes(CONTENT)
        for _ in range(2):
            with (tmp_path / "b").open("rb") as file:
                assert storage.save("a/b", file) == "a/b"  # type: ignore[arg-type]
        assert storage.open("a/b").read() == CONTENT
