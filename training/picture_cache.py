"""Pictures at training size on this host, shared by all runs of all its workers.

A file is named by the digest of the picture that it was made of and by how it was made, appears
whole or not at all, and is checked each time it is given away. A run holds hard links: what is
removed here stays there, and what has a second link is used by somebody. So nobody keeps a list,
and workers may come, be killed and go as they like; locks only save them from working twice.
"""

import errno
import fcntl
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from training.pixels import RECIPE, SUFFIX, Form, PixelsDamaged, check_file

log = logging.getLogger(__name__)

#: Nobody writes at one file for so long.
_PART_SECONDS = 3600.0
#: How long another worker is waited for that makes the same picture.
_LOCK_SECONDS = 60.0
_LOCK_PAUSE = 0.02
#: Left free on the disk for everything else.
_LEAST_FREE = 2 * 1024**3
#: File systems that cannot link, or not there: a copy does as well.
_NO_LINK = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP}
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Key:
    """What a prepared picture is known by.

    Attributes:
        digest: SHA-256 of the picture's file, in hexadecimal.
        size: to which its longer side was shrunk; 0 where it did not have to be.
    """

    digest: str
    size: int
    form: Form

    @property
    def path(self) -> Path:
        """Where it lies in the cache."""
        recipe = f"{RECIPE}-{self.form.name.lower()}-{self.size or 'whole'}"
        return Path(recipe, self.digest[:2], f"{self.digest}{SUFFIX}")


class PictureCache:
    """A folder of prepared pictures with a size limit; safe for many threads and processes."""

    def __init__(self, root: Path, limit: int) -> None:
        """Open a cache.

        Args:
            root: its folder, on the disk of the runs' folders, or else files are copied.
            limit: bytes that it may keep when nobody uses them; 0 keeps nothing.
        """
        self._root = root
        self._limit = limit
        self._room = 0
        self._lock = threading.Lock()

    def provide(
        self, key: Key, target: Path, make: Callable[[], list[bytes]], check: Callable[[], None]
    ) -> bool:
        """Put a prepared picture at a place outside, from the cache or else newly made.

        Args:
            key: which.
            target: where; on the same disk it is a link, which must not be written to.
            make: returns the parts of the file.
            check: called while another worker is waited for; may raise to end it.

        Returns:
            Whether it was made now.

        Raises:
            OSError: the disk is full even without all that nobody uses, or broken.
        """
        if self._take(key, target):
            return False
        with self._made_once(key, check):
            if self._take(key, target):
                return False
            content = make()
            try:
                self._put(key, target, content)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self.make_room(self._limit)
                self._put(key, target, content)
        return True

    def make_room(self, needed: int, *, before: float = float("inf")) -> None:
        """Remove what was not used for longest until so many bytes fit below the limit.

        As much as then fits will be kept of what is made. What a run uses stays, for nothing would
        be gained.

        Args:
            needed: bytes.
            before: what was used after this time stays too.
        """
        used, idle = 0, []
        for entry in self._entries():
            with suppress(FileNotFoundError):
                status = entry.stat()
                used += status.st_size
                if status.st_nlink == 1 and status.st_mtime < before:
                    idle.append((status.st_mtime_ns, status.st_size, entry))
        free = self.free_space()
        for _, size, entry in sorted(idle, key=lambda item: item[0]):
            if used + needed <= self._limit and free >= needed:
                break
            with suppress(FileNotFoundError):
                entry.unlink()
            used, free = used - size, free + size
        with self._lock:
            self._room = max(min(self._limit - used, free), 0)

    def touch(self, key: Key) -> bool:
        """Whether a picture is there; it then counts as used now, and others make room first."""
        try:
            os.utime(self._root / key.path)
        except FileNotFoundError:
            return False
        return True

    def suits(self, total: int) -> bool:
        """Whether a run of so many bytes fits below the limit, and on the disk."""
        if self._limit and total > self._limit:
            return False
        free = self.free_space()
        return total <= free or total <= free + self.size()

    def size(self) -> int:
        """Return how many bytes are kept."""
        total = 0
        for entry in self._entries():
            with suppress(FileNotFoundError):
                total += entry.stat().st_size
        return total

    def free_space(self) -> int:
        """Return how many bytes of the disk may be taken."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return shutil.disk_usage(self._root).free - _LEAST_FREE

    def sweep(self) -> None:
        """Remove what killed workers left half written."""
        for part in self._parts.glob("*"):
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _PART_SECONDS:
                    part.unlink()

    @property
    def _parts(self) -> Path:
        return self._root / ".parts"

    def _entries(self) -> Iterator[Path]:
        # Recipes of earlier releases count, and go, as the others.
        yield from self._root.glob(f"[!.]*/??/*{SUFFIX}")

    def _take(self, key: Key, target: Path) -> bool:
        """Link a picture that is there and whole; one that is damaged goes."""
        entry = self._root / key.path
        try:
            _place(entry, target)
            # Before it is read: who looks for what was not used for longest must not find it.
            os.utime(entry)
            check_file(target, key.digest)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            return False
        except PixelsDamaged as damage:
            log.warning("Prepared picture %s is damaged (%s); it is made anew", key.path, damage)
            target.unlink(missing_ok=True)
            entry.unlink(missing_ok=True)
            return False
        return True

    def _put(self, key: Key, target: Path, content: list[bytes]) -> None:
        """Write a picture, give it to the run, and keep it where there is room."""
        self._parts.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=self._parts)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(content)
                os.fchmod(file.fileno(), 0o400)
            _place(part, target)
            if self._has_room(sum(map(len, content))):
                entry = self._root / key.path
                entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                part.replace(entry)
        finally:
            part.unlink(missing_ok=True)

    def _has_room(self, size: int) -> bool:
        with self._lock:
            self._room -= size
            return self._room >= 0

    @contextmanager
    def _made_once(self, key: Key, check: Callable[[], None]) -> Iterator[None]:
        """Wait while another worker makes the same picture, unless it takes too long."""
        folder = self._root / ".locks"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / key.digest[:3]).open("wb") as file:
            deadline = time.monotonic() + _LOCK_SECONDS
            while not _locked(file.fileno()) and time.monotonic() < deadline:
                check()
                time.sleep(_LOCK_PAUSE)
            yield


def _locked(descriptor: int) -> bool:
    """Try for a lock that goes with the process, however that ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _place(source: Path, target: Path) -> None:
    """Give a file a second place by a link, or by a copy where that cannot be."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, target)
