"""Doorbells: best-effort hints that a job's story has grown. Facts never travel on them.

One Redis channel for all jobs carries `slug/id`; each web process listens once and wakes its own
readers. Whoever misses a doorbell finds the rows at its next look at the database.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Self

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.client import PubSub

from jobs.redis_client import quick_client

if TYPE_CHECKING:
    from jobs.models import Job

log = logging.getLogger(__name__)

CHANNEL = "cvtrainer:doorbells"
#: A Redis that does not answer is left alone for so long.
_PAUSE_SECONDS = 5.0
_TIMEOUT_SECONDS = 0.2
_CONNECT_SECONDS = 5.0
#: A line that was silent for so long is tried; one that does not answer either is given up.
_QUIET_SECONDS = 15.0

_silent_until = 0.0


def ring(job: "Job") -> None:
    """Tell the readers of a job that there is something new; never raises, never waits long."""
    global _silent_until  # noqa: PLW0603  one Redis a process, one memory of its silence
    if time.monotonic() < _silent_until:
        return
    try:
        quick_client(_TIMEOUT_SECONDS).publish(CHANNEL, f"{job.slug}/{job.pk}")
    except redis.RedisError as error:
        _silent_until = time.monotonic() + _PAUSE_SECONDS
        log.info("No doorbells for a while: %s", type(error).__name__)


class Doorbell:
    """Waits in a thread for the doorbell of one job; while Redis is away, just waits a little."""

    def __init__(self, job: "Job") -> None:
        self._name = f"{job.slug}/{job.pk}"
        self._line = quick_client().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        with contextlib.suppress(redis.RedisError):
            self._line.subscribe(CHANNEL)
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def wait(self, seconds: float) -> None:
        """Return when it rings, or after so many seconds at the latest."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = self._line.get_message(timeout=left)
            except (redis.RedisError, RuntimeError):  # not subscribed: Redis was away
                time.sleep(max(0.0, deadline - time.monotonic()))
                return
            if message and message["data"] == self._name.encode():
                return


async def listen() -> AsyncIterator[str | None]:
    """Yield `slug/id` of each doorbell, for ever; while Redis is away, yield nothing.

    Yields None whenever the line is up (again): any doorbell may have been missed until then.
    """
    while True:
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=_CONNECT_SECONDS, decode_responses=True
        )
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await subscription.subscribe(CHANNEL)
                yield None
                async for text in _messages(subscription):
                    yield text
        except (redis.RedisError, OSError, TimeoutError) as error:
            log.info("No doorbells for a while: %s", type(error).__name__)
        finally:
            await client.aclose()
        await asyncio.sleep(1.0)


async def _messages(subscription: PubSub) -> AsyncIterator[str]:
    was_tried = False
    while True:
        message = await subscription.get_message(timeout=_QUIET_SECONDS)
        if message is None and was_tried:
            raise TimeoutError
        if message is None:
            await subscription.ping()
        elif message["type"] == "message":
            yield message["data"]
        was_tried = message is None
