"""Whether the portal can work: database, Redis, storage, and a worker for each queue."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection

from jobs.redis_client import quick_client

#: A storage that has not answered after so many seconds counts as away.
_SECONDS = 3.0
ALIASES = ("uploads", "images", "weights", "artifacts")

Check = Callable[[], bool]


def readiness() -> dict[str, bool]:
    """Return whether each part is there, by its name: `database`, …, `workers:training`."""
    return {name: _passes(check) for name, check in _checks()}


def workers_alive(queue: str) -> int:
    """Return how many workers of a queue gave a sign of life lately.

    Raises:
        redis.RedisError: Redis is away.
    """
    client = quick_client()
    keys: set[bytes] = client.smembers(f"rq:workers:{queue}")  # type: ignore[assignment]
    return int(client.exists(*keys)) if keys else 0  # type: ignore[arg-type]


def _checks() -> Iterator[tuple[str, Check]]:
    yield "database", _database
    yield "redis", lambda: bool(quick_client().ping())
    yield "storage", _storage
    for queue in settings.RQ_QUEUES:
        yield f"workers:{queue}", partial(_has_worker, queue)


def _has_worker(queue: str) -> bool:
    return workers_alive(queue) > 0


def _passes(check: Check) -> bool:
    try:
        return check()
    except Exception:  # noqa: BLE001  whatever it is, the part is not there
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone())


def _storage() -> bool:
    """Ask every storage, but wait for none that hangs."""
    pool = ThreadPoolExecutor(max_workers=len(ALIASES))
    try:
        answers = [pool.submit(_can_store, alias) for alias in ALIASES]
        return all(answer.result(timeout=_SECONDS) for answer in answers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _can_store(alias: str) -> bool:
    storage = storages[alias]
    if not isinstance(storage, FileSystemStorage):
        storage.exists("readyz")
        return True
    # Made with the first file: until then the folder above it counts.
    folder = Path(storage.location)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)
