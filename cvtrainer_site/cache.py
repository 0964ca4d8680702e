"""A cache that is empty rather than broken while Redis is away."""

import logging
from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache

log = logging.getLogger(__name__)


class ForgivingRedisCache(RedisCache):
    """Rate limits and other hints only: nobody is kept from signing in by a Redis restart."""

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return a value, or the default while Redis is away."""
        try:
            return super().get(key, default, version)
        except redis.RedisError:
            log.warning("Redis is away; the cache reads as empty")
            return default

    def set(self, key: str, value: Any, *args: Any, **kwargs: Any) -> None:
        """Store a value, or leave it."""
        try:
            super().set(key, value, *args, **kwargs)
        except redis.RedisError:
            log.warning("Redis is away; nothing is cached")

    def add(self, key: str, value: Any, *args: Any, **kwargs: Any) -> bool:
        """Store a value that is not there yet; while Redis is away, say that it was stored."""
        try:
            return bool(super().add(key, value, *args, **kwargs))
        except redis.RedisError:
            return True

    def delete(self, key: str, version: int | None = None) -> bool:
        """Remove a value, or leave it."""
        try:
            return bool(super().delete(key, version))
        except redis.RedisError:
            return False
