"""Lays a version out for the trainer: prepared pictures from this host's cache, labels of ours.

Nothing that came in an archive reaches the training library, and no decoder runs in the trainer.
While the rows pass by, their fingerprint is taken: what is trained on is what was imported.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from datasets.fingerprint import Fingerprint
from datasets.materialize import class_names, label_text
from datasets.models import DatasetImage, DatasetVersion
from jobs.errors import UserError
from jobs.patience import persist
from storage.local import stored_chunks
from storage.presence import is_missing
from training.picture_cache import Key, PictureCache
from training.pixel_pool import PictureFailed, PixelPool
from training.pixels import HEAD_SIZE, SUFFIX, Form, Head, file_content, fitted, plain_length
from training.processors import processors
from training.storing import patiently

log = logging.getLogger(__name__)

_SPLITS = ("train", "val")
_ROWS = 500
_LOOK_SECONDS = 0.5
_LEAVE_SECONDS = 5.0
_MOST_PROCESSES = 16
#: What a JPEG of a prepared picture takes of its pixels, roughly and rather too much.
_JPEG_SHARE = 0.3


@dataclass(frozen=True)
class Layout:
    """What lies there now: class names by their indexes, and how many pictures were new."""

    names: list[str]
    made: int
    found: int


def lay_out(
    version: DatasetVersion,
    target: Path,
    cache: PictureCache,
    *,
    size: int,
    check: Callable[[], None],
    on_progress: Callable[[int], None] = lambda done: None,
) -> Layout:
    """Write `images/<split>/` and `labels/<split>/` for training and validation.

    Done twice into one folder it gives the same.

    Args:
        version: what is laid out.
        target: the folder.
        cache: of this host.
        size: training size in pixels.
        check: called often, from several threads; may raise to end it.
        on_progress: told how many pictures are there.

    Raises:
        UserError: `version_changed`, `picture_missing`, `stored_file_damaged`, `data_error`.
        Interrupted: the storage is away, or the disk is full.
    """
    for split in _SPLITS:
        for kind in ("images", "labels"):
            (target / kind / split).mkdir(parents=True, exist_ok=True)
    cache.sweep()
    form = _choose_form(version, cache, size)
    names = class_names(version)
    fingerprint = Fingerprint(names)
    with _Layers(target, cache, size, form, check) as layers:
        for rows in _chunks(version):
            for row in rows:
                fingerprint.add(row.picture.content_digest, row.split, row.boxes)
            layers.lay(rows, on_progress)
    if version.fingerprint not in ("", fingerprint.hexdigest()):
        raise UserError("version_changed", version=str(version))
    return Layout(names, layers.made, layers.found)


def _chunks(version: DatasetVersion) -> Iterator[list[Any]]:
    """Yield all images of a version in lists; a database that is away is waited for."""
    last = -1
    while chunk := persist(partial(_rows_after, version, last)):
        yield chunk
        last = chunk[-1].position


def _rows_after(version: DatasetVersion, position: int) -> list[Any]:
    rows = DatasetImage.objects.filter(version=version, position__gt=position)
    return list(rows.select_related("picture").order_by("position")[:_ROWS])


def _choose_form(version: DatasetVersion, cache: PictureCache, size: int) -> Form:
    """Return the form in which all pictures fit, and make room for those that are not there.

    Pixels as they are cost the loader nothing, so long as the system can keep them in its memory;
    of more than that the disk would have to be read, where a JPEG is quicker.
    """
    rows = DatasetImage.objects.filter(version=version, split__in=_SPLITS)
    fields = ("picture__stored_sha256", "picture__sha256", "picture__height", "picture__width")
    pictures = [
        (stored or came, (height, width))
        for stored, came, height, width in persist(lambda: list(rows.values_list(*fields)))
    ]
    total = sum(_length(shape, size) for _, shape in pictures)
    form = Form.PLAIN if cache.suits(total) and total <= memory_size() / 2 else Form.JPEG
    share = 1.0 if form == Form.PLAIN else _JPEG_SHARE
    # The clock of files is a little behind.
    began = time.time() - 1
    missing = [
        shape for digest, shape in pictures if not cache.touch(key_of(digest, shape, size, form))
    ]
    needed = int(share * sum(_length(shape, size) for shape in missing))
    cache.make_room(needed, before=began)
    return form


def _length(shape: tuple[int, int], size: int) -> int:
    return HEAD_SIZE + plain_length(fitted(shape, size))


def key_of(digest: str, shape: tuple[int, int], size: int, form: Form) -> Key:
    """Return the key of a picture; one that is not shrunk is the same for all larger sizes."""
    return Key(digest, size if max(shape) > size else 0, form)


def memory_size() -> int:
    """Return how much memory this host has, or this container may use."""
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return size
    return min(size, int(limit)) if limit.isdigit() else size


class _Layers:
    """Threads that each lay a picture at a time; the decoding is done by as many processes."""

    def __init__(
        self, target: Path, cache: PictureCache, size: int, form: Form, check: Callable[[], None]
    ) -> None:
        self._target = target
        self._cache = cache
        self._size = size
        self._form = form
        self._check = check
        self._is_over = threading.Event()
        count = min(processors(), _MOST_PROCESSES)
        self._pool = PixelPool(count)
        # Twice as many: while pixels are made of one picture, another comes from the storage.
        self._threads = ThreadPoolExecutor(2 * count, thread_name_prefix="layer")
        self._running: set[Future[bool]] = set()
        self.made = self.found = 0

    def __enter__(self) -> "_Layers":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._pool.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        # One that waits for a storage which does not answer must not hold up the others' end.
        wait({one for one in self._running if not one.cancelled()}, _LEAVE_SECONDS)

    def lay(self, rows: Sequence[Any], on_progress: Callable[[int], None]) -> None:
        """Lay pictures and labels, and say how far it is."""
        wanted = [row for row in rows if row.split in _SPLITS]
        self._running = {self._threads.submit(self._lay, row) for row in wanted}
        while self._running:
            done, self._running = wait(self._running, _LOOK_SECONDS, FIRST_EXCEPTION)
            self._count(done)
            on_progress(self.made + self.found)

    def _count(self, done: Iterable[Future[bool]]) -> None:
        for future in done:
            if future.result():
                self.made += 1
            else:
                self.found += 1

    def _lay(self, row: Any) -> bool:
        """Lay one picture and its labels; return whether it had to be made."""
        self._look()
        picture, stem = row.picture, f"{row.position:07d}"
        text = label_text(row.boxes, picture.width, picture.height)
        path = self._target / "labels" / row.split / f"{stem}.txt"
        path.write_text(text, encoding="ascii")
        key = key_of(
            picture.content_digest, (picture.height, picture.width), self._size, self._form
        )
        target = self._target / "images" / row.split / f"{stem}{SUFFIX}"
        return self._cache.provide(key, target, lambda: self._made(row, key), self._look)

    def _look(self) -> None:
        if self._is_over.is_set():
            raise _Over
        self._check()

    def _made(self, row: Any, key: Key) -> list[bytes]:
        picture = row.picture
        original = (picture.height, picture.width)
        data = patiently(lambda: _read(row), self._look)
        try:
            pixels = self._pool.make(data, original=original, size=self._size, form=key.form)
        except PictureFailed:
            raise UserError("data_error", detail=row.file_name) from None
        shape = fitted(original, self._size)
        return file_content(Head(key.form, key.digest, original, shape, len(pixels)), pixels)


class _Over(Exception):
    """Another picture failed, or somebody ended it: nobody waits for this one."""


def _read(row: Any) -> bytes:
    """Return the file of an image's picture as it was stored.

    Raises:
        UserError: `picture_missing`, `stored_file_damaged`.
        FileNotFoundError: the whole storage is away.
    """
    picture, file = row.picture, row.picture.file
    try:
        data = b"".join(stored_chunks(file.storage, file.name))
    except FileNotFoundError:
        if is_missing(file.storage, file.name):
            raise UserError("picture_missing", picture=row.file_name) from None
        raise
    # Rows of the first releases do not know what they hold.
    if picture.stored_sha256 and sha256(data).hexdigest() != picture.stored_sha256:
        raise UserError("stored_file_damaged")
    return data
