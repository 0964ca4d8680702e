"""Checks pictures on all cores and stores them under names made from their content."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from datasets.models import Picture, images_storage
from datasets.pictures import PictureRefused, PreparedPicture, prepare_picture
from datasets.problems import Problems
from storage.local import put_file
from storage.names import content_name


@dataclass(frozen=True, slots=True)
class Incoming:
    """A picture as it came: where it was, the digest of its bytes, and the bytes."""

    key: str
    sha256: str
    data: bytes


def store_pictures(
    project_id: UUID, incoming: Iterable[Incoming], problems: Problems
) -> list[Picture]:
    """Return pictures that are in storage, in any order; rows of new ones are not saved yet.

    What the project has already is not looked at again. What cannot be used is left out, with the
    reason in `problems`. Memory holds a few pictures at a time.
    """
    stored: list[Picture] = []
    iterator = iter(incoming)
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[tuple[Incoming, Future[PreparedPicture]]] = deque()
        while batch := list(islice(iterator, workers)):
            known = _known(project_id, batch)
            stored += known.values()
            for item in batch:
                if item.sha256 not in known:
                    waiting.append((item, pool.submit(prepare_picture, item.data)))
            while len(waiting) > workers:
                stored += _finish(project_id, *waiting.popleft(), problems)
        while waiting:
            stored += _finish(project_id, *waiting.popleft(), problems)
    return stored


def _known(project_id: UUID, batch: list[Incoming]) -> dict[str, Picture]:
    digests = [item.sha256 for item in batch]
    rows = Picture.objects.filter(project_id=project_id, sha256__in=digests)
    return {row.sha256: row for row in rows}


def _finish(
    project_id: UUID, item: Incoming, future: "Future[PreparedPicture]", problems: Problems
) -> Iterator[Picture]:
    try:
        prepared = future.result()
    except PictureRefused as refused:
        problems.add(refused.code, item.key)
        return
    for note in prepared.notes:
        problems.add(note, item.key)
    yield _store(project_id, item.sha256, prepared)


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
