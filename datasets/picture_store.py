"""Checks pictures on all cores and stores them under names made from their content.

First a picture's row, then its files, then its use in a version: whatever is cut off in between, no
file is there of which no row tells, and no version has a picture without files.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from django.db.models import Q

from datasets.models import Import, Picture, images_storage
from datasets.picture_pool import PicturePool
from datasets.pictures import PictureRefused, PreparedPicture
from datasets.problems import Problems
from jobs import transitions
from storage.local import put_file
from storage.names import content_name

#: Pictures whose rows are asked for and written together: what waits in memory is bounded.
_MOST_TOGETHER = 32
_MOST_BYTES = 16 * 1024 * 1024
_UPRIGHT = 1
#: Threads that write files: a disk, or a storage far away, keeps nobody else waiting.
_WRITERS = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A picture as it came: where it was, the digest of its bytes, and the bytes."""

    key: str
    sha256: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture in storage, and the EXIF orientation of the file by which it came in."""

    picture: Picture
    orientation: int


@dataclass
class PictureStore:
    """Brings the pictures of one import into its project.

    Attributes:
        refused: why pictures were left out, by the digest of their bytes.
        recent: what the last call of `store` wrote files of.
        on_stored: called with pictures whose row and files are there, by what came in.
    """

    job: Import
    pool: PicturePool
    problems: Problems
    refused: dict[str, str] = field(default_factory=dict)
    recent: list[Picture] = field(default_factory=list)
    on_stored: Callable[[Mapping[str, Placed]], None] = lambda placed: None

    def store(self, incoming: Iterable[Incoming]) -> dict[str, Placed]:
        """Return pictures that are in storage, by the digests of what came in.

        What the project has already is not looked at again; files that are kept as the same bytes
        are one picture. What cannot be used is left out, with the reason in `problems`. Memory
        holds a few pictures at a time.

        Raises:
            LeaseLost: another attempt owns the import.
            StorageError: `storage_full`.
        """
        self.recent.clear()
        stored: dict[str, Placed] = {}
        prepared = self.pool.prepare(self._unknown(incoming, stored))
        # While the files of one batch are written, the next one is prepared.
        with ThreadPoolExecutor(_WRITERS, thread_name_prefix="files") as writers:
            written: Callable[[], dict[str, Placed]] = dict
            for batch in _batches(prepared, lambda pair: _size(pair[1])):
                keeping = self._keep(batch, writers)
                stored |= written()
                written = keeping
            return stored | written()

    def _unknown(
        self, incoming: Iterable[Incoming], known: dict[str, Placed]
    ) -> Iterator[tuple[Incoming, bytes]]:
        """Yield the pictures that have to be looked at; the others go into `known`."""
        for group in _batches(incoming, lambda item: len(item.data)):
            here = self._known([item.sha256 for item in group])
            for item in group:
                placed = here.get(item.sha256)
                if placed is None:
                    yield item, item.data
                    continue
                if placed.picture.sha256 == item.sha256:
                    self._report(placed.picture.notes, item.key)
                known[item.sha256] = placed
                self.on_stored({item.sha256: placed})

    def _known(self, digests: Collection[str]) -> dict[str, Placed]:
        """Return pictures that the project has: these very files, or those they are kept as."""
        rows = Picture.objects.filter(project=self.job.project_id)
        known: dict[str, Placed] = {}
        for row in rows.filter(Q(sha256__in=digests) | Q(stored_sha256__in=digests)):
            if not _has_files(row):
                continue
            if row.stored_sha256 in digests:
                # What is kept is upright.
                known.setdefault(row.stored_sha256, Placed(row, _UPRIGHT))
            if row.sha256 in digests:
                known[row.sha256] = Placed(row, row.orientation)
        return known

    def _keep(
        self, batch: list[tuple[Incoming, PreparedPicture | PictureRefused]], writers: Executor
    ) -> Callable[[], dict[str, Placed]]:
        """Find or make the pictures of prepared files, and begin to write what is new.

        Returns:
            What waits for the files, and returns the pictures by the digests of what came in.
        """
        placed: dict[str, Placed] = {}
        new: dict[str, tuple[Picture, PreparedPicture]] = {}
        usable = list(self._usable(batch))
        known = self._known([digest for *_, digest in usable])
        for item, result, digest in usable:
            self._report(result.notes, item.key)
            if digest not in known and digest not in new:
                new[digest] = self._row(item.sha256, digest, result), result
            picture = known[digest].picture if digest in known else new[digest][0]
            placed[item.sha256] = Placed(picture, result.orientation)
        pairs = list(new.values())
        rows = self._save([picture for picture, _ in pairs])
        placed = {
            sha256: replace(it, picture=rows.get(it.picture.sha256, it.picture))
            for sha256, it in placed.items()
        }
        writing = [writers.submit(_write_files, *pair) for pair in pairs]

        def written() -> dict[str, Placed]:
            for each in writing:
                each.result()
            self.on_stored(placed)
            return placed

        return written

    def _usable(
        self, batch: Iterable[tuple[Incoming, PreparedPicture | PictureRefused]]
    ) -> Iterator[tuple[Incoming, PreparedPicture, str]]:
        """Yield what was prepared, with the digest of the bytes that are kept."""
        for item, result in batch:
            if isinstance(result, PictureRefused):
                self.refused[item.sha256] = result.code
                self.problems.add(result.code, item.key)
            else:
                is_same = result.content == item.data
                digest = item.sha256 if is_same else hashlib.sha256(result.content).hexdigest()
                yield item, result, digest

    def _report(self, notes: Iterable[str], key: str) -> None:
        for note in notes:
            self.problems.add(note, key)

    def _row(self, sha256: str, digest: str, prepared: PreparedPicture) -> Picture:
        name = content_name(self.job.project_id, sha256, prepared.suffix)
        picture = Picture(
            project_id=self.job.project_id,
            sha256=sha256,
            stored_sha256=digest,
            width=prepared.width,
            height=prepared.height,
            orientation=prepared.orientation,
            size=len(prepared.content),
            perceptual_hash=prepared.perceptual_hash,
            notes=list(prepared.notes),
        )
        picture.file.name = name
        picture.thumbnail.name = f"thumbnails/{content_name(self.job.project_id, sha256, '.jpg')}"
        return picture

    def _save(self, pictures: list[Picture]) -> dict[str, Picture]:
        """Write the rows of new pictures; return them as the database has them, by digest.

        A new picture is progress: however often the worker is killed, the import goes on.
        """
        if not pictures:
            return {}
        with transitions.fenced(self.job, losses=0):
            Picture.objects.bulk_create(pictures, ignore_conflicts=True)
            rows = list(
                Picture.objects.filter(
                    project=self.job.project_id, sha256__in=[p.sha256 for p in pictures]
                )
            )
        self.recent += pictures
        return {row.sha256: row for row in rows}


def _write_files(picture: Picture, prepared: PreparedPicture) -> None:
    """Store a picture and its thumbnail; called by several threads."""
    storage = images_storage()
    put_file(storage, str(picture.file), [prepared.content], durable=False)
    put_file(storage, str(picture.thumbnail), [prepared.thumbnail], durable=False)


def _batches(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield items by so many, or fewer where their bytes are enough."""
    batch: list[T] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += size(item)
        if len(batch) == _MOST_TOGETHER or weight > _MOST_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _size(result: PreparedPicture | PictureRefused) -> int:
    return 0 if isinstance(result, PictureRefused) else len(result.content)


def _has_files(picture: Picture) -> bool:
    storage = images_storage()
    return all(storage.exists(str(file)) for file in (picture.file, picture.thumbnail))
