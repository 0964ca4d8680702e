"""One call of the API: not too often, not too large, tried again, and its failure in our words.

The SDK's own retries do not bound the waits that a server asks for, and lose the status; they are
off. Its messages may hold signed addresses, so none of them is passed on.
"""

import threading
import time
from collections.abc import Callable
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
_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})
_CODES = {
    401: "custom_vision_key",
    403: "custom_vision_forbidden",
    404: "custom_vision_not_found",
    429: "custom_vision_throttled",
}

Answer = TypeVar("Answer")
#: Called with seconds and the reason's code before it goes on; may raise to end the work.
Wait = Callable[[float, str], None]


class BrokenAnswer(Exception):
    """An answer that cannot be read; nothing is quoted, for it may hold signed addresses."""


class AnswerTooLarge(Exception):
    """An answer of more bytes, or more seconds, than any honest one has."""


class Calls:
    """Makes calls of one SDK client, one at a time, whatever thread they come from."""

    def __init__(self, client: Any, *, wait: Wait, patience: float) -> None:
        """Set a client up.

        Args:
            client: of the SDK; it gets no redirects, no proxies of the environment, no retries.
            wait: waits, and may leave.
            patience: seconds after which a call that does not come through is given up.
        """
        self._wait, self._patience = wait, patience
        self._next_at = 0.0
        self._last: requests.Response | None = None
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

    def make(self, call: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        """Return the answer to a call.

        Raises:
            UserError: `custom_vision_…`, why there is none.
            BrokenAnswer: it came and cannot be read.
        """
        with self._one_at_a_time:
            return self._insist(call, *args, **kwargs)

    def _insist(self, call: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        began, delay = time.monotonic(), _FIRST_WAIT
        while True:
            self._keep_pace()
            try:
                return self._once(call, *args, **kwargs)
            except UserError as error:
                asked = self._asked_wait()
                left = self._patience - (time.monotonic() - began)
                pause = delay if asked is None else asked
                if not self._is_worth_another_try() or pause > left:
                    raise
                self._wait(pause, error.code)
                delay = min(2 * delay, _LONGEST_WAIT)

    def _once(self, call: Callable[..., Answer], *args: Any, **kwargs: Any) -> Answer:
        self._last = None
        try:
            return call(*args, **kwargs)
        except AnswerTooLarge as error:
            raise BrokenAnswer from error
        except (ClientException, requests.RequestException, TypeError, ValueError) as error:
            if self._status() == requests.codes.ok and not _is_of_the_connection(error):
                raise BrokenAnswer from None
            raise self._reason() from None

    def _keep_pace(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + 1 / RATE

    def _receive(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """Take an answer as it comes, before the SDK does: within bounds."""
        self._last = response
        if int(response.headers.get("Content-Length") or 0) > MAX_BYTES:
            raise AnswerTooLarge
        deadline, content = time.monotonic() + _DEADLINE, bytearray()
        for chunk in response.iter_content(_CHUNK):
            content += chunk
            if len(content) > MAX_BYTES or time.monotonic() > deadline:
                raise AnswerTooLarge
        response._content = bytes(content)

    def _status(self) -> int:
        """Return the status of the last answer; 0 where there was none."""
        return 0 if self._last is None else self._last.status_code

    def _is_worth_another_try(self) -> bool:
        return self._status() in _WORTH_ANOTHER_TRY | {0, 200}

    def _asked_wait(self) -> float | None:
        """Return how many seconds the server asks to wait, where it asks."""
        asked = "" if self._last is None else self._last.headers.get("Retry-After", "")
        try:
            return max(0.0, float(asked)) if asked else None
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError):
            return None

    def _reason(self) -> UserError:
        status = self._status()
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
