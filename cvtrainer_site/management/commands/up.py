"""`manage.py up`: migrate, then start the whole portal and keep it running."""

import asyncio
import os
from typing import Any

from django.core.management.base import BaseCommand

from cvtrainer_site.supervisor.endings import end_quietly
from cvtrainer_site.supervisor.installation import greet, only_one, prepare
from cvtrainer_site.supervisor.portal import Portal
from cvtrainer_site.supervisor.probe import check_port


class Command(BaseCommand):
    """Serves until SIGINT or SIGTERM; stdout carries only where the portal is and who may enter."""

    help = "Start the portal: web, workers, reconciler, and Valkey unless REDIS_URL is set."
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:
        """Start it, wait, end it; nothing is left behind."""
        os.umask(0o077)
        # Nothing is started yet: whoever is asked to end here has nothing to end in order.
        end_quietly()
        with only_one():
            check_port()
            prepare()
            asyncio.run(Portal().run(when_ready=lambda: greet(self._tell)))

    def _tell(self, greeting: str) -> None:
        self.stdout.write(greeting)
        self.stdout.flush()
