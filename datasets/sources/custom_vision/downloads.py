"""Fetches pictures from the addresses that Custom Vision gives: bounded, and without the key."""

import time
from collections.abc import Sequence

import certifi
import urllib3

from datasets.sources.base import MAX_PICTURE_BYTES
from datasets.sources.custom_vision.address import may_fetch
from datasets.sources.custom_vision.tries import Tries, Unlucky, failure
from jobs.errors import UserError

#: Pictures at once. They come from blob storage, whose limit is not that of the API.
CONNECTIONS = 16
_TIMEOUT = urllib3.Timeout(connect=10.0, read=30.0)
#: For one picture at all: one that comes drop by drop is none.
_DEADLINE = 300.0
_CHUNK = 256 * 1024


class PictureClient:
    """Fetches pictures; safe for several threads."""

    def __init__(self, allowed: Sequence[str]) -> None:
        """Set up a client.

        Args:
            allowed: the hosts of endpoints; a loopback host among them counts for pictures too.
        """
        self._allowed = allowed
        self._tries = Tries()
        # Not `requests`: it takes three times the work a picture, and heeds the environment's
        # proxies and passwords. This goes to Microsoft or nowhere.
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS, ca_certs=certifi.where(), timeout=_TIMEOUT, retries=False
        )

    def stop(self) -> None:
        """Let no thread wait any longer."""
        self._tries.stop()

    def fetch(self, uri: str) -> bytes:
        """Return a picture.

        Raises:
            LinkExpired: ask for a new address (tries.py).
            UserError: it cannot be had; the code tells why.
        """
        if not may_fetch(uri, self._allowed):
            raise UserError("remote_picture_host")
        return self._tries.insist(lambda: self._once(uri))

    def _once(self, uri: str) -> bytes:
        try:
            response = self._pool.request("GET", uri, redirect=False, preload_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Its text holds the signed address.
            raise Unlucky from error
        try:
            _check(response)
            content = _content(response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            response.close()
            raise Unlucky from error
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return content


def _check(response: urllib3.BaseHTTPResponse) -> None:
    if response.status == 200:
        return
    asked = response.headers.get("Retry-After", "")
    raise failure(response.status, float(asked) if asked.isdigit() else None)


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
            raise Unlucky
    return bytes(content)
