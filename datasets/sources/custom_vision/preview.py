"""Looks at a project before it is imported: what is in it, and how long it will take."""

import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from datasets.sources.custom_vision.calls import RATE, BrokenAnswer
from datasets.sources.custom_vision.downloads import (
    CONNECTIONS,
    LinkExpired,
    PictureClient,
    is_relative,
)
from datasets.sources.custom_vision.remote import Counts, RemoteTag
from datasets.sources.custom_vision.service import MAX_PAGE, Service
from jobs.errors import UserError

#: Pictures that are fetched to judge the others by.
_SAMPLE = 8
#: To check, turn and store a picture on one core; measured with photos of 2 MB.
_SECONDS_TO_STORE = 0.03


@dataclass(frozen=True)
class Preview:
    """A project as it stands.

    Attributes:
        tags: in the order in which they become classes.
        estimated_bytes: of all tagged pictures; None where no sample came.
        estimated_seconds: to import them.
    """

    name: str
    domain: str
    tags: tuple[RemoteTag, ...]
    counts: Counts
    estimated_bytes: int | None
    estimated_seconds: float | None


def look_at(service: Service, pictures: PictureClient, *, patience: float) -> Preview:
    """Return what a project holds, with a sample of its pictures fetched.

    Args:
        patience: seconds for the sample.

    Raises:
        UserError: why it cannot be imported.
    """
    project, tags, counts = service.project(), tuple(service.tags()), service.counts()
    sizes, seconds = _sample(service, pictures, patience)
    size = sum(sizes) / len(sizes) if sizes else None
    return Preview(
        name=project.name,
        domain=project.domain,
        tags=tags,
        counts=counts,
        estimated_bytes=None if size is None else round(size * counts.tagged),
        estimated_seconds=None if size is None else _estimate(counts.tagged, seconds),
    )


def _sample(service: Service, pictures: PictureClient, patience: float) -> tuple[list[int], float]:
    """Return the sizes of some pictures, and how many seconds one of them takes."""
    try:
        page = service.page(is_tagged=True, skip=0, take=_SAMPLE)
    except BrokenAnswer:
        return [], 0.0
    uris = [image.uri for image in page if not is_relative(image.uri)]
    threads = ThreadPoolExecutor(_SAMPLE, thread_name_prefix="sample")
    began = time.monotonic()
    futures = [threads.submit(pictures.fetch, uri) for uri in uris]
    done, _ = wait(futures, timeout=patience)
    pictures.stop()
    threads.shutdown(wait=False, cancel_futures=True)
    took = time.monotonic() - began
    for future in done:
        if error := future.exception():
            _tell(error)
    sizes = [len(future.result()) for future in done if not future.exception()]
    return sizes, took


def _tell(error: BaseException) -> None:
    """Let only those failures pass that one picture may have."""
    if not isinstance(error, LinkExpired | UserError):
        raise error


def _estimate(pictures: int, seconds: float) -> float:
    """Return the time of an import: listing, then fetching and storing at the same time."""
    listing = (pictures / MAX_PAGE + 1) / RATE
    return round(listing + pictures * max(seconds / CONNECTIONS, _SECONDS_TO_STORE), 1)
