"""Lists pages while the pictures of the last one are fetched and stored."""

from concurrent.futures import Future, ThreadPoolExecutor

from datasets.sources.custom_vision.listing import Listing, Page


class Pages:
    """The pages of a listing, each asked for while the one before is worked on."""

    def __init__(self, listing: Listing) -> None:
        """Prepare to list; the first page is asked for with `next`."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self._iterator = listing.pages()
        self._coming: Future[Page | None] | None = None

    @property
    def is_there(self) -> bool:
        """Whether `next` would not wait."""
        return self._coming is not None and self._coming.done()

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
