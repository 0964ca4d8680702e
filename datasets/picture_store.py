"""Checks pictures on all cores and stores them under names made from their content.

First a picture's row, then its files, then its use in a version: whatever is cut off in between, no
file is there of which no row tells, and no version has a picture without files.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from datasets.models import Import, Picture, images_storage
from datasets.picture_pool import PicturePool
from datasets.pictures import PictureRefused, PreparedPicture
from datasets.problems import Problems
from jobs import transitions
from storage.local import put_file
from storage.names import content_name

#: Pictures whose rows are written together, and so the most that wait in memory.
_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Incoming:
    """A picture as it came: where it was, the digest of its bytes, and the bytes."""

    key: str
    sha256: str
    data: bytes


@dataclass
class PictureStore:
    """Brings the pictures of one import into its project.

    Attributes:
        refused: why pictures were left out, by the digest of their bytes.
        recent: what the last call of `store` wrote files of.
        on_stored: called with pictures whose row and files are there.
    """

    job: Import
    pool: PicturePool
    problems: Problems
    refused: dict[str, str] = field(default_factory=dict)
    recent: list[Picture] = field(default_factory=list)
    on_stored: Callable[[Iterable[Picture]], None] = lambda pictures: None

    def store(self, incoming: Iterable[Incoming]) -> dict[str, Picture]:
        """Return pictures that are in storage, by their digests.

        What the project has already is not looked at again. What cannot be used is left out, with
        the reason in `problems`. Memory holds a few pictures at a time.

        Raises:
            LeaseLost: another attempt owns the import.
            StorageError: `storage_full`.
        """
        self.recent.clear()
        stored: dict[str, Picture] = {}
        prepared = self.pool.prepare(self._unknown(incoming, stored))
        while batch := list(islice(prepared, _TOGETHER)):
            good = [pair for item, result in batch for pair in self._judged(item, result)]
            stored |= self._save(good)
        return stored

    def _unknown(
        self, incoming: Iterable[Incoming], known: dict[str, Picture]
    ) -> Iterator[tuple[Incoming, bytes]]:
        """Yield the pictures that have to be looked at; the others go into `known`."""
        for item in incoming:
            picture = self._known(item.sha256)
            if picture is None:
                yield item, item.data
            else:
                self._report(picture, item.key)
                known[item.sha256] = picture
                self.on_stored([picture])

    def _known(self, sha256: str) -> Picture | None:
        """Return a picture that the project has, row and files."""
        picture = Picture.objects.filter(project=self.job.project_id, sha256=sha256).first()
        storage = images_storage()
        has_files = picture is not None and all(
            storage.exists(str(file)) for file in (picture.file, picture.thumbnail)
        )
        return picture if has_files else None

    def _judged(
        self, item: Incoming, result: PreparedPicture | PictureRefused
    ) -> Iterator[tuple[Picture, PreparedPicture]]:
        if isinstance(result, PictureRefused):
            self.refused[item.sha256] = result.code
            self.problems.add(result.code, item.key)
            return
        picture = self._row(item.sha256, result)
        self._report(picture, item.key)
        yield picture, result

    def _report(self, picture: Picture, key: str) -> None:
        for note in picture.notes:
            self.problems.add(note, key)

    def _row(self, sha256: str, prepared: PreparedPicture) -> Picture:
        name = content_name(self.job.project_id, sha256, prepared.suffix)
        picture = Picture(
            project_id=self.job.project_id,
            sha256=sha256,
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

    def _save(self, pairs: list[tuple[Picture, PreparedPicture]]) -> dict[str, Picture]:
        """Write rows, then files; return the rows as the database has them, by digest.

        A new picture is progress: however often the worker is killed, the import goes on.
        """
        if not pairs:
            return {}
        pictures = [picture for picture, _ in pairs]
        with transitions.fenced(self.job, losses=0):
            Picture.objects.bulk_create(pictures, ignore_conflicts=True)
            rows = list(
                Picture.objects.filter(
                    project=self.job.project_id, sha256__in=[p.sha256 for p in pictures]
                )
            )
        storage = images_storage()
        for picture, prepared in pairs:
            self.recent.append(picture)
            put_file(storage, str(picture.file), [prepared.content], durable=False)
            put_file(storage, str(picture.thumbnail), [prepared.thumbnail], durable=False)
        self.on_stored(rows)
        return {row.sha256: row for row in rows}
