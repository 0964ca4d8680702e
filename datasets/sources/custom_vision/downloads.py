"""Fetches pictures from the addresses that Custom Vision gives: bounded, and without the key."""

import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import certifi
import urllib3

from datasets.sources.base import MAX_PICTURE_BYTES
from datasets.sources.custom_vision.address import may_fetch
from jobs.errors import UserError

#: Pictures at once. They come from blob storage, whose limit is not that of the API.
CONNECTIONS = 16
_TIMEOUT = urllib3.Timeout(connect=10.0, read=30.0)
#: For one picture at all: one that comes drop by drop is none.
_DEADLINE = 300.0
_CHUNK = 256 * 1024
_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT = 60.0
_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})


class LinkExpired(Exception):
    """The address is signed for a time that is over; there may be a new one."""


class _Unlucky(Exception):
    """It may go well another time, perhaps after so many seconds."""

    def __init__(self, seconds: float | None = None) -> None:
        super().__init__()
        self.seconds = seconds


class PictureClient:
    """Fetches pictures; safe for several threads."""

    def __init__(self, allowed: Sequence[str]) -> None:
        """Set up a client.

        Args:
            allowed: the hosts of endpoints; a loopback host among them counts for pictures too.
        """
        self._allowed = allowed
        self._stopped = threading.Event()
        # Not `requests`: it takes three times the work a picture, and heeds the environment's
        # proxies and passwords. This goes to Microsoft or nowhere.
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS, ca_certs=certifi.where(), timeout=_TIMEOUT, retries=False
        )

    def stop(self) -> None:
        """Let no thread wait any longer."""
        self._stopped.set()

    def fetch(self, uri: str) -> bytes:
        """Return a picture.

        Raises:
            LinkExpired: ask for a new address.
            UserError: it cannot be had; the code tells why.
        """
        if not may_fetch(uri, self._allowed):
            raise UserError("remote_picture_host")
        for seconds in (*_WAITS, None):
            try:
                return self._once(uri)
            except _Unlucky as unlucky:
                if seconds is None or self._stopped.is_set():
                    break
                self._stopped.wait(min(unlucky.seconds or seconds, _LONGEST_WAIT))
        raise UserError("remote_picture_away")

    def _once(self, uri: str) -> bytes:
        try:
            response = self._pool.request("GET", uri, redirect=False, preload_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Its text holds the signed address.
            raise _Unlucky from error
        try:
            _check(response)
            content = _content(response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            response.close()
            raise _Unlucky from error
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return content


def is_relative(uri: str) -> bool:
    """Tell whether an address names only a path, as projects in private networks give it."""
    try:
        url = urlsplit(uri)
    except ValueError:
        return False
    return bool(uri) and not url.scheme and not url.netloc


def _check(response: urllib3.BaseHTTPResponse) -> None:
    status = response.status
    if status == 200:
        return
    if status in {401, 403}:
        raise LinkExpired
    if status in {404, 410}:
        raise UserError("remote_picture_gone")
    if 300 <= status < 400:
        raise UserError("remote_picture_host")
    if status in _WORTH_ANOTHER_TRY:
        asked = response.headers.get("Retry-After", "")
        raise _Unlucky(float(asked) if asked.isdigit() else None)
    raise UserError("remote_picture_away")


def _content(response: urllib3.BaseHTTPResponse) -> bytes:
    expected = response.headers.get("Content-Length", "")
    if expected.isdigit() and int(expected) > MAX_PICTURE_BYTES:
        raise UserError("remote_picture_too_large")
    deadline, content = time.monotonic() + _DEADLINE, bytearray()
    for chunk in response.stream(_CHUNK):
        content += chunk
        if len(content) > MAX_PICTURE_BYTES:
            raise UserError("remote_picture_too_large")
        if time.monotonic() > deadline:
            raise _Unlucky
    return bytes(content)
