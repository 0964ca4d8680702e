"""Looks at a project before it is imported: what is in it, and how long it will take."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from datasets.sources.custom_vision.calls import RATE, BrokenAnswer
from datasets.sources.custom_vision.downloads import CONNECTIONS, PictureClient
from datasets.sources.custom_vision.fetcher import Fetcher, is_relative
from datasets.sources.custom_vision.remote import Counts, RemoteTag
from datasets.sources.custom_vision.service import MAX_PAGE, Service
from datasets.sources.custom_vision.tries import LinkExpired
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
    sample = _fetched(service, pictures, patience)
    return Preview(
        name=project.name,
        domain=project.domain,
        tags=tags,
        counts=counts,
        estimated_bytes=round(sample.mean * counts.tagged) if sample.sizes else None,
        estimated_seconds=_estimate(counts.tagged, sample) if sample.sizes else None,
    )


@dataclass(frozen=True)
class _Sample:
    """Some pictures: their sizes, and how many seconds they took together.

    Attributes:
        is_private: they came through the API, at its pace.
    """

    sizes: Sequence[int]
    seconds: float
    is_private: bool

    @property
    def mean(self) -> float:
        """Bytes of one."""
        return sum(self.sizes) / len(self.sizes)

    @property
    def seconds_each(self) -> float:
        """How often one comes, with all connections in use."""
        if self.is_private:
            return max(self.seconds / len(self.sizes), 1 / RATE)
        return self.seconds / CONNECTIONS


def _fetched(service: Service, pictures: PictureClient, patience: float) -> _Sample:
    """Fetch some pictures at the same time."""
    try:
        page = service.page(is_tagged=True, skip=0, take=_SAMPLE)
    except BrokenAnswer:
        return _Sample((), 0.0, is_private=False)
    uris = [image.uri for image in page if image]
    fetcher = Fetcher(service, pictures)
    threads = ThreadPoolExecutor(_SAMPLE, thread_name_prefix="sample")
    began = time.monotonic()
    futures = [threads.submit(fetcher.fetch, uri) for uri in uris]
    done, _ = wait(futures, timeout=patience)
    fetcher.stop()
    threads.shutdown(wait=False, cancel_futures=True)
    took = time.monotonic() - began
    for future in done:
        if error := future.exception():
            _tell(error)
    sizes = [len(future.result()) for future in done if not future.exception()]
    return _Sample(sizes, took, is_private=any(map(is_relative, uris)))


def _tell(error: BaseException) -> None:
    """Let only those failures pass that one picture may have."""
    if not isinstance(error, LinkExpired | UserError):
        raise error


def _estimate(pictures: int, sample: _Sample) -> float:
    """Return the time of an import: listing, then fetching and storing at the same time."""
    listing = (pictures / MAX_PAGE + 1) / RATE
    return round(listing + pictures * max(sample.seconds_each, _SECONDS_TO_STORE), 1)
