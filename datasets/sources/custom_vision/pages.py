"""Lists pages while the pictures of the last one are fetched and stored."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from datasets.sources.custom_vision.listing import Listing
from datasets.sources.custom_vision.remote import Counts, RemoteImage
from datasets.sources.custom_vision.service import Service

#: A page, and whether its pictures are tagged.
Page = tuple[list[RemoteImage], bool]


class Pages:
    """The pages of a project: tagged pictures first, then, if wanted, the others."""

    def __init__(self, service: Service, counts: Counts, *, include_untagged: bool) -> None:
        """Prepare to list; the first page is asked for with `next`."""
        kinds = [(True, counts.tagged)] + ([(False, counts.untagged)] if include_untagged else [])
        self._listings = [(Listing(service, is_tagged=kind), count) for kind, count in kinds]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self._iterator = self._iterate()
        self._coming: Future[Page | None] | None = None

    @property
    def is_there(self) -> bool:
        """Whether `next` would not wait."""
        return self._coming is not None and self._coming.done()

    @property
    def unreadable(self) -> int:
        """How many pictures could not be listed."""
        return sum(listing.unreadable for listing, _ in self._listings)

    def next(self) -> Page | None:
        """Return the next page, or nothing after the last; the one after it is asked for.

        Raises:
            UserError: it cannot be had.
        """
        page = (self._coming or self._ask()).result()
        self._coming = self._ask() if page else self._coming
        return page

    def end(self) -> None:
        """Ask for nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _ask(self) -> "Future[Page | None]":
        self._coming = self._thread.submit(next, self._iterator, None)
        return self._coming

    def _iterate(self) -> Iterator[Page]:
        for listing, count in self._listings:
            is_tagged = listing.is_tagged
            for page in listing.pages(count):
                yield page, is_tagged
