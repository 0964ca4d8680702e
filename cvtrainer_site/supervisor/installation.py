"""What has to be there before the first program starts: one supervisor, tables, somebody to be."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections, transaction

from cvtrainer_site import env
from cvtrainer_site.supervisor.lines import say
from jobs.reconcile import take_back_from_the_dead


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


def prepare() -> None:
    """Bring tables and rows up to date, and make the user `admin` where its password is given.

    No page may say that something runs which a killed portal has left: it goes on, or has ended.
    """
    say("preparing the database")
    call_command("migrate", interactive=False, verbosity=0)
    if count := take_back_from_the_dead():
        say(f"took back {count} jobs of workers that are dead")
    if given := env.secret("CVTRAINER_ADMIN_PASSWORD", default=""):
        _ensure_admin(given)
    connections.close_all()


def greet(tell: Callable[[str], None]) -> None:
    """Tell where the portal is; make the user `admin` once, and tell the password made up for it.

    Both or neither: a password that nobody was told would lock its owner out for good.
    """
    password = secrets.token_urlsafe(12)
    greeting = f"CVTrainer is ready at {settings.PUBLIC_URL}"
    with transaction.atomic():
        if _ensure_admin(password):
            greeting += f"\nSign in as admin with the password {password} (shown only this once)."
        tell(greeting)
    connections.close_all()


def _ensure_admin(password: str) -> bool:
    """Make the user `admin` where there is none; return whether there was none."""
    users = get_user_model()._default_manager
    if users.filter(username="admin").exists():
        return False
    get_user_model().objects.create_superuser("admin", password=password)
    return True
