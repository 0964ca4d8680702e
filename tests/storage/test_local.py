"""Stored files as paths, and files that appear whole or not at all."""

import errno
import hashlib
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage

from storage.errors import StorageError
from storage.local import local_path, put_file, stored_chunks, write_stream
from storage.names import content_name, id_name
from tests.storage.fields import Field

CONTENT = bytes(range(256)) * 10_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OWNER = UUID("5b6bb1d6-9f5c-4d5f-8f6c-0c5c6b1c7a10")


@pytest.fixture
def field(any_storage: Storage) -> Field:
    any_storage.save("weights/best.pt", ContentFile(CONTENT))
    return Field(any_storage)


def test_many_threads_may_read_at_once(any_storage: Storage) -> None:
    """As those do that prepare pictures for a training."""
    contents = {f"many/{number}.bin": bytes([number]) * 300_000 for number in range(8)}
    for name, content in contents.items():
        put_file(any_storage, name, [content], durable=False)

    def read(name: str) -> bool:
        return b"".join(stored_chunks(any_storage, name)) == contents[name]

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(read, list(contents) * 10))


class TestLocalPath:
    def test_the_content_is_there_while_the_block_lasts(self, field: Field) -> None:
        with local_path(field) as path:
            assert path.read_bytes() == CONTENT
            assert path.suffix == ".pt"

    def test_a_fetched_copy_is_gone_afterwards_but_a_local_file_stays(self, field: Field) -> None:
        with local_path(field) as path:
            pass
        assert path.exists() == isinstance(field.storage, FileSystemStorage)

    def test_a_file_on_this_machine_is_not_copied(self, tmp_path: Path) -> None:
        storage = FileSystemStorage(tmp_path)
        storage.save("a.zip", ContentFile(b"x"))
        with local_path(Field(storage, "a.zip")) as path:
            assert path == tmp_path / "a.zip"

    def test_the_content_is_checked_against_its_digest(self, field: Field) -> None:
        with local_path(field, sha256=DIGEST) as path:
            assert path.exists()
        with pytest.raises(StorageError) as caught, local_path(field, sha256="0" * 64):
            pass
        assert caught.value.code == "stored_file_damaged"

    def test_a_missing_file_says_so(self, field: Field) -> None:
        field.name = "weights/gone.pt"
        with pytest.raises(StorageError) as caught, local_path(field):
            pass
        assert caught.value.code == "stored_file_missing"


class TestPutFile:
    def test_it_is_stored_under_exactly_this_name(self, field: Field) -> None:
        put_file(field.storage, "ab/new.jpg", [b"one", b"two"])
        assert b"".join(stored_chunks(field.storage, "ab/new.jpg")) == b"onetwo"

    def test_a_reader_of_the_old_content_keeps_it(self, tmp_path: Path) -> None:
        storage = FileSystemStorage(tmp_path)
        put_file(storage, "a", [b"old"])
        with (tmp_path / "a").open("rb") as reader:
            put_file(storage, "a", [b"new"], durable=False)
            assert reader.read() == b"old"
        assert (tmp_path / "a").read_bytes() == b"new"


class TestWriteStream:
    def test_a_write_that_fails_leaves_nothing_and_keeps_what_was_there(
        self, tmp_path: Path
    ) -> None:
        def failing() -> Iterator[bytes]:
            yield b"half"
            raise RuntimeError

        target = tmp_path / "folder" / "a"
        write_stream(target, [b"whole"])
        with pytest.raises(RuntimeError):
            write_stream(target, failing())
        assert target.read_bytes() == b"whole"
        assert list(target.parent.iterdir()) == [target]

    def test_a_full_disk_is_told_as_such(self, tmp_path: Path) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("needs /dev/full")

        def full() -> Iterator[bytes]:
            with Path("/dev/full").open("wb", buffering=0) as device:
                device.write(b"x")
            yield b""

        with pytest.raises(StorageError) as caught:
            write_stream(tmp_path / "a", full())
        assert caught.value.code == "storage_full"
        assert caught.value.params["free_mb"] > 0
        assert list(tmp_path.iterdir()) == []

    def test_only_the_owner_may_read_it(self, tmp_path: Path) -> None:
        write_stream(tmp_path / "folder" / "a", [b"x"])
        assert stat.S_IMODE((tmp_path / "folder" / "a").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700

    def test_other_faults_of_the_disk_stay_what_they_are(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(OSError) as caught:
            write_stream(tmp_path / "file" / "a", [b"x"])
        assert caught.value.errno in {errno.ENOTDIR, errno.EEXIST}


class TestNames:
    def test_names_come_from_owner_and_content(self) -> None:
        assert content_name(OWNER, DIGEST, ".jpg") == f"{OWNER}/{DIGEST[:2]}/{DIGEST}.jpg"
        assert id_name("imports", OWNER, ".zip") == f"imports/{OWNER}.zip"

    @pytest.mark.parametrize("suffix", ["jpg", "/../x", ".JPG", ".a b", ".", "./x", ".jpg\n"])
    def test_a_users_suffix_cannot_get_in(self, suffix: str) -> None:
        with pytest.raises(ValueError, match="suffix"):
            content_name(OWNER, DIGEST, suffix)

    @pytest.mark.parametrize("digest", ["", "../../x", DIGEST[:-1], DIGEST.upper()])
    def test_nothing_but_a_digest_names_content(self, digest: str) -> None:
        with pytest.raises(ValueError, match="digest"):
            content_name(OWNER, digest, ".jpg")

    def test_a_kind_is_plain(self) -> None:
        with pytest.raises(ValueError, match="kind"):
            id_name("../x", OWNER, ".zip")
