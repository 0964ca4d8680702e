"""The database of a backup: SQLite by its backup API, PostgreSQL by pg_dump, both while in use."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder


def applied_migrations() -> list[list[str]]:
    """Return app and name of each migration that the database has."""
    return sorted([app, name] for app, name in MigrationRecorder(connection).applied_migrations())


def is_empty() -> bool:
    """Tell whether the database has no tables yet."""
    return not connection.introspection.table_names()


def dump(target: Path) -> None:
    """Write a consistent copy of the database, whoever writes to it meanwhile."""
    if connection.vendor == "sqlite":
        with (
            closing(sqlite3.connect(_sqlite_path())) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
            # One file that can be moved alone, without its log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
    else:
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file", str(target))


def load(source: Path) -> None:
    """Make an empty database hold what a copy holds."""
    connection.close()
    if connection.vendor == "sqlite":
        target = _sqlite_path()
        for leftover in target.parent.glob(f"{target.name}*"):
            leftover.unlink()
        shutil.move(source, target)
        target.chmod(0o600)
    else:
        name = str(connection.settings_dict["NAME"])
        options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
        _run("pg_restore", *options, "--dbname", name, str(source))


def _sqlite_path() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _run(program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL; the password is in its environment, not in the process list."""
    found = shutil.which(program)
    if found is None:
        raise CommandError(f"{program} is not installed; it comes with PostgreSQL's client.")
    settings = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    given = {variable: str(settings[key]) for variable, key in names.items() if settings.get(key)}
    environment = {**os.environ, "PGDATABASE": str(settings["NAME"]), **given}
    done = subprocess.run(
        [found, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandError(f"{program} failed: {done.stderr.strip()}")
