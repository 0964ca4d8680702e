"""Fetches the pictures that come next while the last ones are worked on: in order, in bounds."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from datasets.sources.custom_vision.downloads import CONNECTIONS, LinkExpired
from jobs.errors import UserError

#: Pictures that are asked for ahead, and what those that came may weigh together.
_AHEAD = 3 * CONNECTIONS
_MOST_BYTES = 64 * 1024 * 1024
_SECONDS = 0.5
#: New addresses for one picture before it counts as refused.
_RENEWALS = 2
#: So many failures without a picture between them are no accident: the other side is away.
_TOO_MANY_FAILURES = 3 * CONNECTIONS


@dataclass
class _Wanted:
    key: str
    uri: str
    renewals: int = 0
    future: "Future[bytes] | None" = None


class Prefetch:
    """Pictures by their keys, in the order in which they are wanted."""

    def __init__(
        self,
        fetch: Callable[[str], bytes],
        renew: Callable[[Sequence[str]], dict[str, str]],
        before_wait: Callable[[], None],
    ) -> None:
        """Set up; threads start with the first picture.

        Args:
            fetch: returns the bytes of an address; called in threads.
            renew: returns fresh addresses of keys; those of pictures that are gone are missing.
            before_wait: called while a picture is waited for; may raise to end the work.
        """
        self._fetch, self._renew, self._before_wait = fetch, renew, before_wait
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="pictures")
        self._wanted: deque[_Wanted] = deque()
        self._failures = 0

    @property
    def has_room(self) -> bool:
        """Whether more could be asked for."""
        return len(self._wanted) < _AHEAD

    def want(self, key: str, uri: str) -> None:
        """Ask for a picture; it is read after all that were asked for before."""
        self._wanted.append(_Wanted(key, uri))
        self._begin()

    def read(self, key: str) -> bytes:
        """Return a picture that was asked for; those before it are forgotten.

        Raises:
            UserError: it cannot be had, or, with `custom_vision_away`, none can.
        """
        while self._wanted and self._wanted[0].key != key:
            self._forget(self._wanted.popleft())
        while True:
            self._begin()
            try:
                data = self._result(self._wanted[0])
            except LinkExpired:
                self._renew_from_here()
                continue
            except UserError as error:
                self._wanted.popleft()
                self._count_failure(error)
                raise
            self._wanted.popleft()
            self._failures = 0
            return data

    def end(self) -> None:
        """Give up all that is under way."""
        while self._wanted:
            self._forget(self._wanted.popleft())
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        """Ask for more, as far ahead as memory allows; the first one always."""
        weight = 0
        for place, wanted in enumerate(self._wanted):
            if place >= _AHEAD or weight > _MOST_BYTES:
                return
            if wanted.future is None:
                wanted.future = self._threads.submit(self._fetch, wanted.uri)
            elif wanted.future.done() and not wanted.future.exception():
                weight += len(wanted.future.result())

    def _result(self, wanted: _Wanted) -> bytes:
        assert wanted.future is not None
        while True:
            try:
                return wanted.future.result(timeout=_SECONDS)
            except TimeoutError:
                self._before_wait()

    def _renew_from_here(self) -> None:
        """Ask for fresh addresses: where one is over, those beside it are too."""
        first = self._wanted[0]
        if first.renewals >= _RENEWALS:
            first.future = _failed("remote_picture_forbidden")
            return
        stale = [w for w in list(self._wanted)[:_AHEAD] if w.renewals <= first.renewals]
        stale = [w for w in stale if w is first or not _has_come(w)]
        fresh = self._renew([w.key for w in stale])
        for wanted in stale:
            wanted.renewals += 1
            self._forget(wanted)
            wanted.uri = fresh.get(wanted.key, "")
            gone = not wanted.uri
            wanted.future = _failed("remote_picture_gone") if gone else None

    def _count_failure(self, error: UserError) -> None:
        self._failures = self._failures + 1 if error.code == "remote_picture_away" else 0
        if self._failures >= _TOO_MANY_FAILURES:
            raise PicturesAway from error

    @staticmethod
    def _forget(wanted: _Wanted) -> None:
        if wanted.future is not None:
            wanted.future.cancel()


class PicturesAway(Exception):
    """No picture comes any more: the import has to end, and goes on another time."""


def _has_come(wanted: _Wanted) -> bool:
    future = wanted.future
    return future is not None and future.done() and not future.exception()


def _failed(code: str) -> "Future[bytes]":
    future: Future[bytes] = Future()
    future.set_exception(UserError(code))
    return future
