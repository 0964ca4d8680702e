"""What has to be there before the first program starts: one supervisor, tables, somebody to be."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from cvtrainer_site import env
from cvtrainer_site.supervisor.lines import say


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the data home for this supervisor alone.

    Raises:
        CommandError: another one runs on it.
    """
    path = settings.HOME / "up.lock"
    with path.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            raise CommandError(
                f"The portal runs on {settings.HOME} already (process {pid}). "
                "Stop that one, or set CVTRAINER_HOME to another folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def prepare() -> str:
    """Bring the tables up to date, make the user `admin` once, and return what to tell people."""
    say("preparing the database")
    call_command("migrate", interactive=False, verbosity=0)
    password = _ensure_admin()
    connections.close_all()
    greeting = f"CVTrainer is ready at {settings.PUBLIC_URL}"
    if password:
        greeting += f"\nSign in as admin with the password {password} (shown only this once)."
    return greeting


def _ensure_admin() -> str:
    """Make the user `admin` where there is none; return the password if it was made up here."""
    users = get_user_model()._default_manager
    if users.filter(username="admin").exists():
        return ""
    given = env.secret("CVTRAINER_ADMIN_PASSWORD", default="")
    password = given or secrets.token_urlsafe(12)
    get_user_model().objects.create_superuser("admin", password=password)
    return "" if given else password
