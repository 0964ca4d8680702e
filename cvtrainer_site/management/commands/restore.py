"""`manage.py restore FILE`: fill an empty installation from a backup."""

import os
import shutil
from argparse import ArgumentParser
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryDirectory
from typing import IO, Any

from django.core.files.base import File
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from cvtrainer_site import env
from cvtrainer_site.backup import database
from cvtrainer_site.backup.archive import BrokenArchive, members, read_manifest, verify
from cvtrainer_site.backup.files import ALIASES, settle, store, stored_files
from cvtrainer_site.supervisor.installation import only_one

_IN_MEMORY = 8 * 1024 * 1024


class Command(BaseCommand):
    """Reads the whole backup first; nothing is written where anything is wrong with it."""

    help = "Restore FILE, which `backup` wrote, into an empty installation."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file."""
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        """Check, then restore: files first, the database last."""
        os.umask(0o077)
        if not file.is_file():
            raise CommandError(f"There is no file {file}.")
        with only_one():
            self._check_empty()
            try:
                self._check_manifest(read_manifest(file))
                verify(file)
            except BrokenArchive as error:
                raise CommandError(f"{file} cannot be restored: {error}.") from None
            count = self._restore_or_clean(file)
        self.stdout.write(f"{count} files restored; `manage.py up` brings the tables up to date")

    def _check_empty(self) -> None:
        if not database.is_empty():
            raise CommandError("The database has tables already; restore needs an empty one.")
        for alias, _, name in stored_files():
            raise CommandError(f"There are stored files already ({alias}/{name}).")

    def _check_manifest(self, manifest: dict[str, Any]) -> None:
        if manifest.get("format") != 1:
            raise CommandError("The backup has a format that this version does not know.")
        if manifest["database"] != connection.vendor:
            wanted, have = manifest["database"], connection.vendor
            raise CommandError(f"The backup is of {wanted}, the database here is {have}.")
        known = MigrationLoader(None).disk_migrations
        unknown = [name for app, name in manifest["migrations"] if (app, name) not in known]
        if unknown:
            raise CommandError(f"The backup is of a newer version (it has {unknown[0]}).")

    def _restore_or_clean(self, file: Path) -> int:
        try:
            return self._restore(file)
        except BaseException:
            # All that is stored here is ours: there was nothing before.
            for _, storage, name in list(stored_files()):
                storage.delete(name)
            raise

    def _restore(self, file: Path) -> int:
        count = 0
        with TemporaryDirectory(dir=env.folder("tmp")) as folder:
            copy = Path(folder) / "database"
            for name, content in members(file):
                count += self._restore_member(name, content, copy)
            settle()
            database.load(copy)
        return count

    def _restore_member(self, name: str, content: IO[bytes], copy: Path) -> int:
        kind, _, rest = name.partition("/")
        if name == "database":
            with copy.open("wb") as target:
                shutil.copyfileobj(content, target)
        elif kind == "secrets" and rest.upper() in env.GENERATED:
            # Those that were generated here protect nothing yet.
            (env.folder("secrets") / rest).write_bytes(content.read())
        elif kind == "storage":
            alias, _, stored = rest.partition("/")
            if alias in ALIASES:
                self._store(alias, stored, content)
                return 1
        return 0

    def _store(self, alias: str, name: str, content: IO[bytes]) -> None:
        """Store one file; S3 has to go back in it, which a stream cannot."""
        with SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(env.folder("tmp"))) as whole:
            shutil.copyfileobj(content, whole)
            whole.seek(0)
            store(alias, name, File(whole))
