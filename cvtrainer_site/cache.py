"""A cache that is empty rather than broken while Redis is away."""

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import redis
from django.core.cache.backends.redis import RedisCache

log = logging.getLogger(__name__)

T = TypeVar("T")
#: After a failure Redis is left alone for so long: a request must not wait for it again and again.
_PAUSE_SECONDS = 2.0


class ForgivingRedisCache(RedisCache):
    """Rate limits and other hints only: nobody is kept from signing in by a Redis restart."""

    _away_until = 0.0

    @property
    def _cache(self) -> Any:
        # Django makes a cache for each request; its connections serve them all.
        own: Any = self
        return _client(own._class, tuple(own._servers), tuple(sorted(own._options.items())))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return a value, or the default while Redis is away."""
        get = super().get
        return self._ask(lambda: get(key, default, version), default)

    def set(self, key: str, value: Any, *args: Any, **kwargs: Any) -> None:
        """Store a value, or leave it."""
        store = super().set
        self._ask(lambda: store(key, value, *args, **kwargs), None)

    def add(self, key: str, value: Any, *args: Any, **kwargs: Any) -> bool:
        """Store a value that is not there yet; while Redis is away, say that it was stored."""
        add = super().add
        return self._ask(lambda: bool(add(key, value, *args, **kwargs)), True)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Raise a counter; while Redis is away it stands at nothing.

        Raises:
            ValueError: there is no such counter.
        """
        incr = super().incr
        return self._ask(lambda: int(incr(key, delta, version)), 0)

    def delete(self, key: str, version: int | None = None) -> bool:
        """Remove a value, or leave it."""
        delete = super().delete
        return self._ask(lambda: bool(delete(key, version)), False)

    def _ask(self, question: Callable[[], T], otherwise: T) -> T:
        if time.monotonic() < ForgivingRedisCache._away_until:
            return otherwise
        try:
            return question()
        except redis.RedisError:
            log.warning("Redis is away; the cache reads as empty")
            ForgivingRedisCache._away_until = time.monotonic() + _PAUSE_SECONDS
            return otherwise


@cache
def _client(kind: type[Any], servers: tuple[str, ...], options: tuple[tuple[str, Any], ...]) -> Any:
    """Return this process's client; safe in threads and in a forked child."""
    return kind(list(servers), **dict(options))
