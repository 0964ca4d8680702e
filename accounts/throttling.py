"""Limits how often a caller asks: one counter a caller and minute."""

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

_WINDOW = 60


class PerMinuteThrottle(BaseThrottle):
    """Counts the requests of a user, or of an address where nobody is signed in.

    A counter that the cache raises in one step: many requests at once are all counted, and the cost
    does not grow with the limit. While Redis is away nobody is limited.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request; False where it is one too many in this minute."""
        limit = settings.API_REQUESTS_PER_MINUTE
        who = request.user.pk if request.user.is_authenticated else self.get_ident(request)
        key = f"throttle:{who}:{int(time.time() // _WINDOW)}"
        try:
            count = cache.incr(key)
        except ValueError:  # the first of this minute, or one of the first
            cache.add(key, 0, timeout=_WINDOW * 2)
            count = cache.incr(key)
        return bool(count <= limit)

    def wait(self) -> float:
        """Return the seconds until the next minute begins."""
        return _WINDOW - time.time() % _WINDOW
