"""`manage.py reconcile_jobs [--loop]`: deliver what was lost, end what is silent, keep house."""

import logging
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from jobs.housekeeping import Housekeeper, keep_house
from jobs.notices import Postman
from jobs.reconcile import Reconciler, reconcile

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Runs once, or for ever with `--loop`."""

    help = "Deliver queued jobs that were lost and take back those whose worker is silent."

    # They import all pages, which a worker never serves; `manage.py up` starts many at once.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--loop", action="store_true", help="go on until stopped")
        # As often as a lease is renewed: a longer silence of its own looks like a sleeping machine.
        parser.add_argument(
            "--interval",
            type=float,
            default=settings.JOB_RENEW_SECONDS,
            help="seconds between passes",
        )

    def handle(self, *_: Any, loop: bool, interval: float, **__: Any) -> None:
        """Run one pass, or pass after pass."""
        if not loop:
            outcome = reconcile()
            keep_house()
            self.stdout.write(f"delivered {outcome.delivered}, taken back {outcome.taken_back}")
            return
        reconciler, housekeeper, postman = Reconciler(), Housekeeper(), Postman()
        while True:
            try:
                reconciler.run_pass()
                housekeeper.begin_if_due()
                postman.begin_if_due()
            except (DatabaseError, InterfaceError):
                log.warning("The database is away; trying again")
                connection.close()
            close_old_connections()
            _beat()
            time.sleep(interval)


def _beat() -> None:
    """Leave a sign of life; `scripts/healthcheck.py` looks at its age.

    A database that is away is no fault of this loop; a pass that never ends is.
    """
    path: Path = settings.RECONCILE_BEAT
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError:
        log.warning("No sign of life can be left at %s", path)
