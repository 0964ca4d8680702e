"""Limits how often a caller asks: one counter a caller and minute.

While Redis is away nobody is limited.
"""

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

_WINDOW = 60


class PerMinuteThrottle(BaseThrottle):
    """Counts the requests of a user who is signed in, or of a token's."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request; False where it is one too many in this minute."""
        return _count(str(request.user.pk)) <= int(settings.API_REQUESTS_PER_MINUTE)

    def wait(self) -> float:
        """Return the seconds until the next minute begins."""
        return _seconds_left()


def count_stranger(request: HttpRequest | Request) -> None:
    """Count a request that nobody known has made, by its address.

    Such requests are refused before the throttles of a view are asked.

    Raises:
        Throttled: it is one too many in this minute.
    """
    if _count(f"from-{request.META.get('REMOTE_ADDR', '')}") > settings.API_STRANGERS_PER_MINUTE:
        raise Throttled(_seconds_left())


def _count(who: str) -> int:
    """Return how many requests this is; the counter is raised in one step, so none is missed."""
    key = f"throttle:{who}:{int(time.time() // _WINDOW)}"
    try:
        return int(cache.incr(key))
    except ValueError:  # the first of this minute, or one of the first
        cache.add(key, 0, timeout=_WINDOW * 2)
        return int(cache.incr(key))


def _seconds_left() -> float:
    return _WINDOW - time.time() % _WINDOW
