"""Checks pictures on all cores and stores them under names made from their content.

First a picture's row, then its files, then its use in a version: whatever is cut off in between, no
file is there of which no row tells, and no version has a picture without files.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from django.db.models import Q

from datasets.models import Import, Picture, images_storage
from datasets.picture_pool import PicturePool
from datasets.pictures import PictureRefused, PreparedPicture
from datasets.problems import Problems
from datasets.sources.base import SourceLost
from jobs import transitions
from storage.local import make_durable, put_file
from storage.names import content_name

#: Pictures whose rows are asked for and written together: what waits in memory is bounded.
_MOST_TOGETHER = 32
_MOST_BYTES = 16 * 1024 * 1024
_UPRIGHT = 1
#: Threads that write files: a disk, or a storage far away, keeps nobody else waiting.
_WRITERS = 4
#: Pictures that are remembered: more than are between their rows and their use at any time.
_RECENT = 512

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


#: A picture as it came, and what is known of it now.
_Looked = tuple[Incoming, PreparedPicture | PictureRefused | Placed]


@dataclass
class PictureStore:
    """Brings the pictures of one import into its project.

    Attributes:
        refused: why pictures were left out, by the digest of their bytes.
        recent: what files were written of lately.
        on_stored: called with pictures whose row and files are there, by what came in.
    """

    job: Import
    pool: PicturePool
    problems: Problems
    refused: dict[str, str] = field(default_factory=dict)
    recent: deque[Picture] = field(default_factory=lambda: deque(maxlen=_RECENT))
    on_stored: Callable[[Mapping[str, Placed]], None] = lambda placed: None
    #: New pictures whose files are being written, by the digest of what is kept.
    _in_writing: dict[str, Picture] = field(default_factory=dict)

    def store(self, incoming: Iterable[Incoming]) -> Generator[dict[str, Placed]]:
        """Yield pictures that are in storage, by the digests of what came in and in that order.

        What the project has already is not looked at again; files that are kept as the same bytes
        are one picture. What cannot be used is left out, with the reason in `problems`. Memory
        holds a few pictures at a time. Close it where not all are taken.

        Args:
            incoming: taken one by one, ahead of what is yielded; no digest comes twice. Where it
                ends because its source is lost, what came before is stored first.

        Raises:
            SourceLost: as `incoming` did.
            LeaseLost: another attempt owns the import.
            StorageError: `storage_full`.
        """
        # While the files of one batch are written, and used, the next one is prepared.
        lost: list[SourceLost] = []
        looked = self.pool.prepare(self._known_or_new(_until_lost(incoming, lost)))
        with ThreadPoolExecutor(_WRITERS, thread_name_prefix="files") as writers:
            written: Callable[[], dict[str, Placed]] = dict
            for batch in _batches(looked, _size):
                keeping = self._keep(batch, writers)
                yield written()
                written = keeping
            yield written()
        # Nobody waited for the disk until now; whoever counts on these pictures comes after this.
        make_durable(images_storage())
        if lost:
            raise lost[0]

    def _known_or_new(
        self, incoming: Iterable[Incoming]
    ) -> Iterator[tuple[Incoming, bytes | Placed]]:
        """Yield each picture with its bytes, or with what the project has of it."""
        for group in _batches(incoming, lambda item: len(item.data)):
            known = self._known([item.sha256 for item in group])
            for item in group:
                placed = known.get(item.sha256)
                if placed is None:
                    yield item, item.data
                    continue
                if placed.picture.sha256 == item.sha256:
                    self._report(placed.picture.notes, item.key)
                yield replace(item, data=b""), placed

    def _known(self, digests: Collection[str]) -> dict[str, Placed]:
        """Return pictures that the project has: these very files, or those they are kept as."""
        rows = Picture.objects.filter(project=self.job.project_id)
        known: dict[str, Placed] = {}
        for row in rows.filter(Q(sha256__in=digests) | Q(stored_sha256__in=digests)):
            if not row.is_stored:
                continue
            if row.stored_sha256 in digests:
                # What is kept is upright.
                known.setdefault(row.stored_sha256, Placed(row, _UPRIGHT))
            if row.sha256 in digests:
                known[row.sha256] = Placed(row, row.orientation)
        return known

    def _keep(self, batch: list[_Looked], writers: Executor) -> Callable[[], dict[str, Placed]]:
        """Find or make the pictures of prepared files, and begin to write what is new.

        Returns:
            What waits for the files, and returns the pictures by the digests of what came in.
        """
        placed: dict[str, Placed] = {}
        new: dict[str, tuple[Picture, PreparedPicture]] = {}
        usable = list(self._usable(batch))
        known = self._in_writing | self._kept_as([digest for *_, digest in usable if digest])
        for item, result, digest in usable:
            if isinstance(result, Placed):
                placed[item.sha256] = result
                continue
            self._report(result.notes, item.key)
            if digest not in known and digest not in new:
                new[digest] = self._row(item.sha256, digest, result), result
            picture = known[digest] if digest in known else new[digest][0]
            placed[item.sha256] = Placed(picture, result.orientation)
        return self._written(placed, list(new.values()), writers)

    def _kept_as(self, digests: Collection[str]) -> dict[str, Picture]:
        return {digest: it.picture for digest, it in self._known(digests).items()}

    def _written(
        self,
        placed: dict[str, Placed],
        new: list[tuple[Picture, PreparedPicture]],
        writers: Executor,
    ) -> Callable[[], dict[str, Placed]]:
        """Write the rows of new pictures, and begin to write their files."""
        rows = self._save([picture for picture, _ in new])
        self._in_writing = {row.stored_sha256: row for row in rows.values()}
        placed = {
            sha256: replace(it, picture=rows.get(it.picture.sha256, it.picture))
            for sha256, it in placed.items()
        }
        writing = [writers.submit(_write_files, *pair) for pair in new]

        def wait() -> dict[str, Placed]:
            for each in writing:
                each.result()
            self.on_stored(placed)
            return placed

        return wait

    def _usable(
        self, batch: Iterable[_Looked]
    ) -> Iterator[tuple[Incoming, PreparedPicture | Placed, str]]:
        """Yield what was prepared, with the digest of what is kept, and what was here before."""
        for item, result in batch:
            if isinstance(result, PictureRefused):
                self.refused[item.sha256] = result.code
                self.problems.add(result.code, item.key)
            elif isinstance(result, Placed):
                yield item, result, ""
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
    for name, content in (picture.file, prepared.content), (picture.thumbnail, prepared.thumbnail):
        put_file(storage, str(name), [content], durable=False, one_of_many=True)


def _until_lost(incoming: Iterable[Incoming], lost: list[SourceLost]) -> Iterator[Incoming]:
    """Yield what comes, and note in `lost` what ended it."""
    try:
        yield from incoming
    except SourceLost as error:
        lost.append(error)


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


def _size(looked: _Looked) -> int:
    return len(looked[1].content) if isinstance(looked[1], PreparedPicture) else 0
