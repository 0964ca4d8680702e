"""Lists all pictures of a project once, though somebody may work in it meanwhile."""

from collections.abc import Iterator

from datasets.sources.custom_vision.calls import BrokenAnswer
from datasets.sources.custom_vision.remote import RemoteImage
from datasets.sources.custom_vision.service import MAX_PAGE, Service
from jobs.errors import UserError

#: Whoever deletes pictures while we list them moves the others forward, past us: look again.
_ROUNDS = 3


class Listing:
    """The pictures of a project, tagged or not; each once."""

    def __init__(self, service: Service, *, is_tagged: bool) -> None:
        """Prepare to list.

        Args:
            is_tagged: which of the two kinds.
        """
        self._service, self.is_tagged = service, is_tagged
        self._seen: set[str] = set()
        #: Pictures that cannot be read, in the last round.
        self.unreadable = 0

    def pages(self, expected: int) -> Iterator[list[RemoteImage]]:
        """Yield pictures that were not seen before, in pages.

        Args:
            expected: how many Custom Vision counts; while fewer came, it is asked again.

        Raises:
            UserError: a page of which nothing can be read.
        """
        for _ in range(_ROUNDS):
            before = len(self._seen)
            self.unreadable = 0
            yield from self._round()
            if len(self._seen) + self.unreadable >= expected or len(self._seen) == before:
                break

    def _round(self) -> Iterator[list[RemoteImage]]:
        skip = 0
        while True:
            rows, read = self._page(skip, MAX_PAGE)
            if read and not rows:
                # Not one bad picture: nothing there speaks as Custom Vision does.
                raise UserError("custom_vision_answer")
            new = [row for row in rows if row.id not in self._seen]
            # One page may name a picture twice.
            unique = list({row.id: row for row in new}.values())
            self._seen.update(row.id for row in unique)
            if unique:
                yield unique
            if read < MAX_PAGE:
                return
            skip += MAX_PAGE

    def _page(self, skip: int, take: int) -> tuple[list[RemoteImage], int]:
        """Return a page, and how many pictures it stands for.

        One bad value spoils a whole page: it is halved until only the bad picture is left out.
        """
        try:
            rows = self._service.page(is_tagged=self.is_tagged, skip=skip, take=take)
        except BrokenAnswer:
            if take == 1:
                self.unreadable += 1
                return [], 1
            half = take // 2
            first, read = self._page(skip, half)
            if read < half:
                return first, read
            second, more = self._page(skip + half, take - half)
            return first + second, read + more
        return rows, len(rows)
