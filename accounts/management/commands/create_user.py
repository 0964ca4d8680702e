"""`manage.py create_user NAME --password-file F [--staff]`: a user who may sign in."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.services import create_user


class Command(BaseCommand):
    """Prints the name of the new user."""

    help = "Make a user; the password is the first line of a file (- for standard input)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options; a password on the command line would be seen in `ps`."""
        parser.add_argument("name")
        parser.add_argument("--password-file", required=True, metavar="F")
        parser.add_argument("--staff", action="store_true", help="may see the operations pages")

    def handle(self, *_: Any, name: str, password_file: str, staff: bool, **__: Any) -> None:
        """Make the user."""
        try:
            user = create_user(username=name, password=_read(password_file), is_staff=staff)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(user.username)


def _read(path: str) -> str:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"Cannot read {path}: {error}") from error
    return text.split("\n", 1)[0].rstrip("\r")
