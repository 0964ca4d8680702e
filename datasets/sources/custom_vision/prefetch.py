"""Fetches the pictures that come next while the last ones are worked on: in order, in bounds."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from datasets.sources.custom_vision.downloads import CONNECTIONS
from datasets.sources.custom_vision.tries import LinkExpired
from jobs.errors import UserError

#: Pictures that are asked for ahead: enough to go on fetching while a chunk is stored.
_AHEAD = 16 * CONNECTIONS
#: What those that came may weigh together; no more is begun beyond it.
_MOST_BYTES = 64 * 1024 * 1024
#: Bytes of a picture, until some have come.
_FIRST_GUESS = 256 * 1024
_SECONDS = 0.5
#: New addresses for one picture before it counts as refused.
_RENEWALS = 2
#: So many failures without a picture between them are no accident: the other side is away.
_TOO_MANY_FAILURES = 3 * CONNECTIONS


class _NoRoom(Exception):
    """What came and was not read yet weighs enough: ask again later."""


class _Room:
    """Counts the bytes that came and were not read yet, and guesses those under way."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._bytes = self._under_way = 0
        self._seen, self._seen_bytes = 1, _FIRST_GUESS

    @property
    def is_there(self) -> bool:
        """Whether one more may be asked for, if those under way are as large as those seen."""
        coming = self._under_way * self._seen_bytes / self._seen
        return self._bytes + coming <= _MOST_BYTES

    def ask(self, threads: ThreadPoolExecutor, uri: str, *, is_first: bool) -> "Future[bytes]":
        """Begin to fetch a picture."""
        self._count(under_way=1)
        future = threads.submit(self._get, uri, is_first)
        future.add_done_callback(lambda _: self._count(under_way=-1))
        return future

    def release(self, future: "Future[bytes]") -> None:
        """Forget what was fetched."""
        if not future.cancelled() and not future.exception():
            self._count(-len(future.result()))

    def _get(self, uri: str, is_first: bool) -> bytes:
        """Fetch a picture where there is room; the first one always, for somebody waits for it."""
        if self._bytes > _MOST_BYTES and not is_first:
            raise _NoRoom
        data = self._fetch(uri)
        self._count(len(data))
        return data

    def _count(self, size: int = 0, *, under_way: int = 0) -> None:
        with self._lock:
            self._bytes += size
            self._under_way += under_way
            if size > 0:
                self._seen, self._seen_bytes = self._seen + 1, self._seen_bytes + size


@dataclass
class _Wanted:
    key: str
    uri: str
    renewals: int = 0
    future: "Future[bytes] | None" = None

    @property
    def has_to_begin(self) -> bool:
        """Whether nobody fetches it: it was not asked for yet, or there was no room."""
        if self.future is None:
            return True
        is_over = self.future.done() and not self.future.cancelled()
        return is_over and isinstance(self.future.exception(), _NoRoom)


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
            renew: returns fresh addresses of keys; those of pictures that are gone are missing,
                and one that nobody can tell is empty.
            before_wait: called while a picture is waited for; may raise to end the work.
        """
        self._room, self._renew, self._before_wait = _Room(fetch), renew, before_wait
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="pictures")
        self._wanted: deque[_Wanted] = deque()
        #: How many at the front have been asked for.
        self._asked = 0
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
            self._drop_first()
        while True:
            self._begin()
            try:
                data = self._result(self._wanted[0])
            except _NoRoom:
                self._asked = 0
                continue
            except LinkExpired:
                self._renew_from_here()
                continue
            except UserError as error:
                self._drop_first()
                self._count_failure(error)
                raise
            self._drop_first()
            self._failures = 0
            return data

    def end(self) -> None:
        """Give up all that is under way."""
        while self._wanted:
            self._drop_first()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        """Ask for more, as far ahead as memory allows; the first one always."""
        while self._asked < min(len(self._wanted), _AHEAD):
            wanted = self._wanted[self._asked]
            if wanted.has_to_begin:
                is_first = self._asked == 0
                if not is_first and not self._room.is_there:
                    return
                wanted.future = self._room.ask(self._threads, wanted.uri, is_first=is_first)
            self._asked += 1

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
        self._asked = 0
        stale = [w for w in list(self._wanted)[:_AHEAD] if w.renewals <= first.renewals]
        stale = [w for w in stale if w is first or not _has_come(w)]
        fresh = self._renew([w.key for w in stale])
        for wanted in stale:
            wanted.renewals += 1
            self._forget(wanted)
            wanted.uri = fresh.get(wanted.key, "")
            is_gone = wanted.key not in fresh
            code = "remote_picture_gone" if is_gone else "remote_picture_unreadable"
            wanted.future = None if wanted.uri else _failed(code)

    def _count_failure(self, error: UserError) -> None:
        self._failures = self._failures + 1 if error.code == "remote_picture_away" else 0
        if self._failures >= _TOO_MANY_FAILURES:
            raise PicturesAway from error

    def _drop_first(self) -> None:
        self._forget(self._wanted.popleft())
        self._asked = max(0, self._asked - 1)

    def _forget(self, wanted: _Wanted) -> None:
        if wanted.future is not None and not wanted.future.cancel():
            wanted.future.add_done_callback(self._room.release)


class PicturesAway(Exception):
    """No picture comes any more: the import has to end, and goes on another time."""


def _has_come(wanted: _Wanted) -> bool:
    future = wanted.future
    return future is not None and future.done() and not future.exception()


def _failed(code: str) -> "Future[bytes]":
    future: Future[bytes] = Future()
    future.set_exception(UserError(code))
    return future
