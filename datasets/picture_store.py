"""Checks pictures on all cores and stores them under names made from their content."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from datasets.models import Picture, images_storage
from datasets.picture_pool import PicturePool
from datasets.pictures import PictureRefused, PreparedPicture
from datasets.problems import Problems
from storage.local import put_file
from storage.names import content_name

#: Pictures that are looked up together, and so the most that are held in memory.
_LOOKED_UP = 8


@dataclass(frozen=True, slots=True)
class Incoming:
    """A picture as it came: where it was, the digest of its bytes, and the bytes."""

    key: str
    sha256: str
    data: bytes


def store_pictures(
    project_id: UUID, incoming: Iterable[Incoming], pool: PicturePool, problems: Problems
) -> list[Picture]:
    """Return pictures that are in storage, in any order; rows of new ones are not saved yet.

    What the project has already is not looked at again. What cannot be used is left out, with the
    reason in `problems`. Memory holds a few pictures at a time.
    """
    stored: list[Picture] = []

    def unknown() -> Iterator[tuple[Incoming, bytes]]:
        iterator = iter(incoming)
        while batch := list(islice(iterator, _LOOKED_UP)):
            known = _known(project_id, batch)
            stored.extend(known.values())
            yield from ((item, item.data) for item in batch if item.sha256 not in known)

    for item, result in pool.prepare(unknown()):
        if isinstance(result, PictureRefused):
            problems.add(result.code, item.key)
            continue
        for note in result.notes:
            problems.add(note, item.key)
        stored.append(_store(project_id, item.sha256, result))
    return stored


def _known(project_id: UUID, batch: list[Incoming]) -> dict[str, Picture]:
    digests = [item.sha256 for item in batch]
    rows = Picture.objects.filter(project_id=project_id, sha256__in=digests)
    return {row.sha256: row for row in rows}


def _store(project_id: UUID, sha256: str, prepared: PreparedPicture) -> Picture:
    storage = images_storage()
    name = content_name(project_id, sha256, prepared.suffix)
    thumbnail = f"thumbnails/{content_name(project_id, sha256, '.jpg')}"
    put_file(storage, name, [prepared.content], durable=False)
    put_file(storage, thumbnail, [prepared.thumbnail], durable=False)
    picture = Picture(project_id=project_id, sha256=sha256, size=len(prepared.content))
    picture.width, picture.height = prepared.width, prepared.height
    picture.orientation = prepared.orientation
    picture.file.name, picture.thumbnail.name = name, thumbnail
    return picture
