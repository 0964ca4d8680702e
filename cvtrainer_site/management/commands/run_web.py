"""`manage.py run_web`: the web process alone, as `manage.py up` starts it."""

import os
from typing import Any

from django.core.management.base import BaseCommand

from cvtrainer_site.supervisor.plan import web


class Command(BaseCommand):
    """Becomes the web server; for containers and systemd, where each process stands alone."""

    help = "Serve pages, API and WebSockets on CVTRAINER_HOST and CVTRAINER_PORT."
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:
        """Replace this process by the server."""
        program = web()
        os.umask(0o077)
        os.execve(  # noqa: S606  our own program, by list
            program.command[0], program.command, {**os.environ, **program.environment}
        )
