"""`manage.py backup FILE`: database, stored files and generated secrets in one tar file."""

import json
import os
import tarfile
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from cvtrainer_site import env
from cvtrainer_site.backup import database
from cvtrainer_site.backup.archive import Writer
from cvtrainer_site.backup.files import stored_files


class Command(BaseCommand):
    """Works while the portal runs; the file appears under its name only when it is complete."""

    help = "Write everything that this installation knows into FILE (tar), for `restore`."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file."""
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        """Write the backup."""
        if file.exists():
            raise CommandError(f"{file} exists already; choose another name.")
        os.umask(0o077)
        part = file.with_name(f"{file.name}.part")
        try:
            with part.open("wb") as raw:
                with tarfile.open(fileobj=raw, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                    count = self._write(Writer(tar))
                raw.flush()
                os.fsync(raw.fileno())
            part.rename(file)
        except OSError as error:
            raise CommandError(f"The backup was not written: {error}") from error
        finally:
            part.unlink(missing_ok=True)
        self.stdout.write(f"{file}: {count} files, {file.stat().st_size} bytes")

    def _write(self, writer: Writer) -> int:
        writer.add_bytes("manifest.json", json.dumps(self._manifest()).encode())
        # Rows point at files that are stored already: the database first, then nothing is missing.
        with TemporaryDirectory(dir=env.folder("tmp")) as folder:
            copy = Path(folder) / "database"
            database.dump(copy)
            writer.add_path("database", copy)
        self._add_files(writer)
        self._add_secrets(writer)
        return writer.finish()

    def _manifest(self) -> dict[str, Any]:
        return {
            "format": 1,
            "made_at": timezone.now().isoformat(),
            "database": connection.vendor,
            "migrations": database.applied_migrations(),
        }

    def _add_files(self, writer: Writer) -> None:
        for alias, storage, name in stored_files():
            try:
                file, size = storage.open(name), storage.size(name)
            except FileNotFoundError:
                self.stderr.write(f"{alias}/{name} was deleted meanwhile")
                continue
            with file:
                writer.add(f"storage/{alias}/{name}", file, size)  # type: ignore[arg-type]

    def _add_secrets(self, writer: Writer) -> None:
        for name in env.GENERATED:
            path = settings.HOME / "secrets" / name.lower()
            if path.is_file():
                writer.add_path(f"secrets/{name.lower()}", path)
            else:
                self.stderr.write(f"{name} comes from outside and is not in the backup: keep it.")
