"""Stored files as paths for those who need one, and files that appear whole or not at all."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage

from storage import settling
from storage.errors import StorageError
from storage.ranges import StoredFile, open_range

#: The folder of a storage in which its files lie until they are whole.
PARTS = ".parts"
_CHUNK = 1024 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def local_path(file: StoredFile, *, sha256: str = "") -> Iterator[Path]:
    """Give a stored file as a path while the block lasts: read it, never change it.

    Args:
        file: a model's file field.
        sha256: what the content must be; not checked where empty.

    Raises:
        StorageError: `stored_file_missing`, `stored_file_damaged`, `storage_full`.
    """
    name = file.name or ""
    try:
        path = Path(file.storage.path(name))
    except NotImplementedError:
        with _fetched(file.storage, name) as path:
            _check_digest(path, sha256)
            yield path
        return
    if not path.is_file():
        raise StorageError("stored_file_missing")
    _check_digest(path, sha256)
    yield path


@contextmanager
def _fetched(storage: Storage, name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        path = Path(folder) / f"file{Path(name).suffix}"
        try:
            write_stream(path, stored_chunks(storage, name), durable=False)
        except FileNotFoundError as error:
            raise StorageError("stored_file_missing") from error
        yield path


def stored_chunks(storage: Storage, name: str) -> Iterator[bytes]:
    """Yield the bytes of a stored file in pieces of a megabyte.

    Raises:
        FileNotFoundError: there is no such file.
    """
    stream = open_range(storage, name, 0, storage.size(name))
    try:
        while chunk := stream.read(_CHUNK):
            yield chunk
    finally:
        stream.close()


def put_file(
    storage: Storage,
    name: str,
    chunks: Iterable[bytes],
    *,
    durable: bool = True,
    one_of_many: bool = False,
) -> None:
    """Store a file under exactly this name: whole or not at all, whatever happens meanwhile.

    What has the name already is replaced; readers of it keep what they have opened.

    Args:
        storage: where to.
        name: made from content or id; see names.py.
        chunks: the content.
        durable: wait until a power cut cannot take it away.
        one_of_many: thousands follow, and nobody reads it soon; of no effect on durable files.

    Raises:
        StorageError: `storage_full`.
    """
    settle = settling.finish_and_forget if one_of_many else settling.begin
    try:
        path = Path(storage.path(name))
    except NotImplementedError:
        _upload(storage, name, chunks)
    else:
        parts = parts_folder(storage)
        write_stream(path, chunks, durable=durable, settle=settle, parts=parts)


def parts_folder(storage: Storage) -> Path:
    """Return where a storage's files lie until they are whole: in one place, which can be swept.

    Raises:
        NotImplementedError: this storage is not on a disk.
    """
    return Path(storage.path(PARTS))


def _upload(storage: Storage, name: str, chunks: Iterable[bytes]) -> None:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        path = Path(folder) / "file"
        write_stream(path, chunks, durable=False)
        with path.open("rb") as file:
            storage.save(name, File(file))


def _full(folder: Path) -> StorageError:
    while not folder.is_dir():
        folder = folder.parent
    return StorageError("storage_full", free_mb=shutil.disk_usage(folder).free // 1024**2)


def write_stream(
    target: Path,
    chunks: Iterable[bytes],
    *,
    durable: bool = True,
    settle: Callable[[int], None] = settling.leave,
    parts: Path | None = None,
) -> None:
    """Write a file elsewhere on its disk and move it to its place when it is whole.

    Folders are made where they are missing; everything is readable by the owner alone.

    Args:
        target: where it is to lie.
        chunks: the content.
        durable: wait until a power cut cannot take it away.
        settle: what is done with its descriptor instead, where nobody waits for that.
        parts: where it lies meanwhile; beside its place by default.

    Raises:
        StorageError: `storage_full`.
    """
    try:
        write_whole(target, chunks, settle=None if durable else settle, parts=parts)
    except OSError as error:
        if error.errno in _FULL:
            raise _full(target.parent) from error
        raise


def write_whole(
    target: Path,
    chunks: Iterable[bytes],
    *,
    settle: Callable[[int], None] | None = None,
    parts: Path | None = None,
) -> None:
    """Do as `write_stream` does; what the disk refuses is told as the system tells it.

    Args:
        settle: nothing where a power cut must not take the file away.

    Raises:
        OSError: the disk is full, or broken.
    """
    durable = settle is None
    parts = parts or target.parent
    for folder in (target.parent, parts):
        _make_folder(folder, durable=durable)
    descriptor, name = tempfile.mkstemp(dir=parts, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            (settle or os.fsync)(file.fileno())
        Path(name).replace(target)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
    if durable:
        sync(target.parent)


def make_durable(storage: Storage) -> None:
    """Wait until no power cut can take away what is stored: once, where it is thousands of files.

    Raises:
        OSError: the disk did not take something.
    """
    try:
        root = storage.path("")
    except NotImplementedError:  # not on a disk
        return
    with suppress(FileNotFoundError), _opened(root) as descriptor:
        settling.finish_all(descriptor)


def move_file(source: Path, target: Path) -> None:
    """Move a file to its place on the same disk, where a power cut cannot take it away.

    Raises:
        OSError: it lies on another disk, or the disk is broken.
    """
    _make_folder(target.parent, durable=True)
    sync(source)
    source.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are safe from a power cut."""
    with _opened(path) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _opened(path: Path | str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make_folder(folder: Path, *, durable: bool) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent, durable=durable)
    folder.mkdir(exist_ok=True, mode=0o700)
    if durable:
        sync(folder.parent)


def _check_digest(path: Path, wanted: str) -> None:
    """Compare a file with the digest that it must have; nothing is read where none is given."""
    if not wanted:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise StorageError("stored_file_damaged")
