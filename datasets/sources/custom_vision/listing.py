"""Lists all pictures of a project once, though somebody may work in it meanwhile.

Who deletes or tags pictures moves those behind them from one page to another. So each page begins
with the last picture of the one before: where it does not, the listing moved, and is read again.
"""

from collections.abc import Iterator, Sequence

from datasets.sources.custom_vision.calls import BrokenAnswer
from datasets.sources.custom_vision.remote import Counts, RemoteImage
from datasets.sources.custom_vision.service import MAX_PAGE, Service
from jobs.errors import UserError

_ROUNDS = 4

#: Pictures, and whether they are tagged.
Page = tuple[list[RemoteImage], bool]
#: As Custom Vision lists them; None stands for a picture that cannot be read.
_Rows = Sequence[RemoteImage | None]


class Listing:
    """The pictures of a project, the tagged ones first; each once, however it moves."""

    def __init__(self, service: Service, counts: Counts, *, include_untagged: bool) -> None:
        """Prepare to list.

        Args:
            counts: what Custom Vision counts; while fewer came, it is asked again.
            include_untagged: list the others too.
        """
        self._service = service
        self._kinds = (True, False) if include_untagged else (True,)
        self._expected = counts.tagged + (counts.untagged if include_untagged else 0)
        #: Of both kinds together: somebody may tag a picture, or untag it, while we list.
        self._seen: set[str] = set()
        #: Pictures that cannot be read, in the last round.
        self.unreadable = 0
        #: Whether pictures moved in the last round: some may have been missed.
        self.has_moved = False

    def pages(self) -> Iterator[Page]:
        """Yield pictures that were not seen before, a page after each call; it may be empty.

        Raises:
            UserError: a page cannot be had, or nothing of it can be read.
        """
        for _ in range(_ROUNDS):
            before = len(self._seen)
            self.unreadable, self.has_moved = 0, False
            for is_tagged in self._kinds:
                yield from self._round(is_tagged=is_tagged)
            is_whole = len(self._seen) + self.unreadable >= self._expected
            if not self.has_moved and (is_whole or len(self._seen) == before):
                break

    def _round(self, *, is_tagged: bool) -> Iterator[Page]:
        before: _Rows = []
        skip = 0
        while True:
            rows = self._page(skip, MAX_PAGE, is_tagged=is_tagged)
            self._check(rows, is_first=not skip)
            if before and not _goes_on(before, rows):
                self.has_moved = True
            # By their ids: a page may name a picture twice.
            new = {row.id: row for row in rows if row and row.id not in self._seen}
            self._seen.update(new)
            self.unreadable += rows[1 if before else 0 :].count(None)
            yield list(new.values()), is_tagged
            if len(rows) < MAX_PAGE or _stands_still(before, rows):
                return
            before = rows
            skip += MAX_PAGE - 1

    def _check(self, rows: _Rows, *, is_first: bool) -> None:
        """Refuse a page that is no accident: nothing there speaks as Custom Vision does."""
        is_nothing_else = is_first and not self._seen
        if rows and not any(rows) and (is_nothing_else or len(rows) == MAX_PAGE):
            raise UserError("custom_vision_answer")

    def _page(self, skip: int, take: int, *, is_tagged: bool) -> _Rows:
        """Return a page; one bad value spoils a whole one: it is halved until the bad one is alone.

        Raises:
            UserError: it cannot be had.
        """
        try:
            return self._service.page(is_tagged=is_tagged, skip=skip, take=take)
        except BrokenAnswer:
            if take == 1:
                return [None]
        half = take // 2
        first = self._page(skip, half, is_tagged=is_tagged)
        if len(first) < half:
            return first
        return [*first, *self._page(skip + half, take - half, is_tagged=is_tagged)]


def _goes_on(before: _Rows, rows: _Rows) -> bool:
    """Tell by the picture that both pages should hold whether those behind it moved."""
    return bool(rows) and _is_same(before[-1], rows[0])


def _is_same(one: RemoteImage | None, other: RemoteImage | None) -> bool:
    return (one and one.id) == (other and other.id)


def _stands_still(before: _Rows, rows: _Rows) -> bool:
    """Tell whether the same page came again, as from a server that heeds no `skip`."""
    return bool(before and before[0]) and _is_same(before[0], rows[0])
