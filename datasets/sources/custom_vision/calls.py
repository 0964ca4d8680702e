"""One call of the API: not too often, not too large, tried again, and its failure in our words.

The SDK's own retries do not bound the waits that a server asks for, and lose the status; they are
off. Its messages may hold signed addresses, so none of them is passed on.
"""

import threading
import time
from collections.abc import Callable, Collection
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests
from msrest.exceptions import ClientException, DeserializationError

from jobs.errors import UserError

#: Calls a second; ten are documented for the API.
RATE = 8.0
#: What an answer may weigh: a page of 256 images has a few megabytes.
MAX_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_TIMEOUT = 30.0
#: For a whole answer: one that comes drop by drop is none.
_DEADLINE = 120.0
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
THROTTLED = 429
#: 0 and 200 stand for a connection that broke before its answer, and in it.
_WORTH_ANOTHER_TRY = frozenset({0, 200, 408, THROTTLED, 500, 502, 503, 504})
_CODES = {
    401: "custom_vision_key",
    403: "custom_vision_forbidden",
    404: "custom_vision_not_found",
    THROTTLED: "custom_vision_throttled",
}

Answer = TypeVar("Answer")
#: Called with seconds and the reason's code before it goes on; may raise to end the work.
Wait = Callable[[float, str], None]


class BrokenAnswer(Exception):
    """An answer that cannot be read; nothing is quoted, for it may hold signed addresses."""


class AnswerTooLarge(Exception):
    """An answer of more bytes than any honest one has."""


class AnswerTooSlow(Exception):
    """An answer of more seconds than any honest one has."""


class Refused(Exception):
    """There is no answer to one try.

    Attributes:
        status: of HTTP; 0 where the connection broke.
        seconds: after which the server asks to try again, where it asks.
    """

    def __init__(self, status: int, seconds: float | None) -> None:
        super().__init__()
        self.status, self.seconds = status, seconds


class Calls:
    """Makes calls of one SDK client, from any thread, at one pace for all."""

    def __init__(self, client: Any, *, wait: Wait, patience: float) -> None:
        """Set a client up.

        Args:
            client: of the SDK; it gets no redirects, no proxies of the environment, no retries.
            wait: waits, and may leave.
            patience: seconds after which a call that does not come through is given up.
        """
        self._wait, self._patience = wait, patience
        self._next_at = 0.0
        self._pace = threading.Lock()
        #: The last answer of each thread.
        self._here = threading.local()
        self._one_at_a_time = threading.RLock()
        config = client.config
        # It would send the key along to wherever it is sent.
        config.redirect_policy.allow = False
        config.proxies.use_env_settings = False
        config.connection.timeout = _TIMEOUT
        config.retry_policy.retries = 0
        config.retry_policy.policy.status_forcelist = ()
        config.retry_policy.policy.respect_retry_after_header = False
        config.hooks.append(self._receive)

    def make(
        self,
        call: Callable[..., Answer],
        *args: Any,
        patience: float | None = None,
        **kwargs: Any,
    ) -> Answer:
        """Return the answer to a call, tried again while that may help.

        Only one thread insists at a time: where all have to wait, that is told once.

        Args:
            patience: less than that of all calls, for what is worth less.

        Raises:
            UserError: `custom_vision_…`, why there is none.
            BrokenAnswer: it came and cannot be read.
        """
        most = self._patience if patience is None else min(patience, self._patience)
        try:
            with self._one_at_a_time:
                return self._insist(most, _WORTH_ANOTHER_TRY, call, *args, **kwargs)
        except Refused as refused:
            raise _reason(refused.status) from None
        except (AnswerTooLarge, AnswerTooSlow) as error:
            raise BrokenAnswer from error

    def beside(self, call: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """Return the answer to a call that is made beside those of other threads, and once.

        It is made again only where the API takes no calls for a while: all threads wait then.

        Raises:
            Refused: there is none.
            AnswerTooLarge, AnswerTooSlow: it came too large, or too slowly.
            BrokenAnswer: it came and cannot be read.
        """
        try:
            return self._once(call, *args, **kwargs)
        except Refused as refused:
            pause = _FIRST_WAIT if refused.seconds is None else refused.seconds
            if refused.status != THROTTLED or pause > self._patience:
                raise
            until = time.monotonic() + pause
        with self._one_at_a_time:
            # Over by now, where another thread waited before.
            if (left := until - time.monotonic()) > 0:
                self._wait(left, _CODES[THROTTLED])
            return self._insist(self._patience, frozenset({THROTTLED}), call, *args, **kwargs)

    def _insist(
        self,
        patience: float,
        worth: Collection[int],
        call: Callable[..., Answer],
        *args: Any,
        **kwargs: Any,
    ) -> Answer:
        """Make a call again while it is refused with a status that is worth it."""
        began, delay = time.monotonic(), _FIRST_WAIT
        while True:
            try:
                return self._once(call, *args, **kwargs)
            except Refused as refused:
                left = patience - (time.monotonic() - began)
                pause = delay if refused.seconds is None else refused.seconds
                if refused.status not in worth or pause > left:
                    raise
                reason = _reason(refused.status)
            self._wait(pause, reason.code)
            delay = min(2 * delay, _LONGEST_WAIT)

    def _once(self, call: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        self._keep_pace()
        self._here.last = None
        try:
            return call(*args, **kwargs)
        except (ClientException, requests.RequestException, TypeError, ValueError) as error:
            if self._status() == requests.codes.ok and not _is_of_the_connection(error):
                raise BrokenAnswer from None
            raise Refused(self._status(), self._asked_wait()) from None
        finally:
            self._here.last = None

    def _keep_pace(self) -> None:
        with self._pace:
            now = time.monotonic()
            turn = max(now, self._next_at)
            self._next_at = turn + 1 / RATE
        time.sleep(turn - now)

    def _receive(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """Take an answer as it comes, before the SDK does: within bounds."""
        self._here.last = response
        try:
            response._content = _content(response)
        except (AnswerTooLarge, AnswerTooSlow):
            response.close()
            raise

    def _status(self) -> int:
        """Return the status of this thread's last answer; 0 where there was none."""
        return 0 if self._here.last is None else self._here.last.status_code

    def _asked_wait(self) -> float | None:
        """Return how many seconds the server asks to wait, where it asks."""
        last = self._here.last
        asked = "" if last is None else last.headers.get("Retry-After", "")
        try:
            return max(0.0, float(asked)) if asked else None
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError):
            return None


def _content(response: requests.Response) -> bytes:
    if int(response.headers.get("Content-Length") or 0) > MAX_BYTES:
        raise AnswerTooLarge
    deadline, content = time.monotonic() + _DEADLINE, bytearray()
    for chunk in response.iter_content(_CHUNK):
        content += chunk
        if len(content) > MAX_BYTES:
            raise AnswerTooLarge
        if time.monotonic() > deadline:
            raise AnswerTooSlow
    return bytes(content)


def _reason(status: int) -> UserError:
    if 300 <= status < 400:
        return UserError("custom_vision_redirected")
    if status in {0, 200} or status >= 500 or status == requests.codes.request_timeout:
        return UserError("custom_vision_away")
    return UserError(_CODES.get(status, "custom_vision_refused"), status=status)


def _is_of_the_connection(error: Exception) -> bool:
    """Tell a connection that broke in the middle of an answer from an answer that is no good."""
    cause = getattr(error, "inner_exception", None) or error
    if isinstance(error, DeserializationError):
        return False
    broken = requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    return isinstance(cause, broken)
