"""Clients of Redis that give up quickly: nothing that people wait for may hang on it."""

from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry


def quick_client(timeout: float = 0.5) -> redis.Redis:
    """Return this process's client that waits at most `timeout` seconds, and tries once.

    Safe in threads, and in a forked child, which makes connections of its own.
    """
    return _client(settings.REDIS_URL, timeout)


@cache
def _client(url: str, timeout: float) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
