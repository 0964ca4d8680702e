"""`manage.py doctor`: check this host; exit status 1 where something is wrong."""

import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand

from cvtrainer_site.doctor import host, services
from cvtrainer_site.doctor.finding import Finding

_LOOKS: tuple[Callable[[], Finding], ...] = (
    host.look_at_torch,
    host.look_at_shared_memory,
    host.look_at_disk,
    services.look_at_redis,
    services.look_at_database,
    services.look_at_storage,
    services.look_at_secrets,
    services.look_at_static,
    host.look_at_weights,
    host.look_at_fonts,
)


class Command(BaseCommand):
    """Prints one line for each thing looked at; changes nothing."""

    help = "Check GPU, memory, disk, Redis, database, storage, weights and fonts of this host."
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:
        """Look at everything and report."""
        findings = []
        for look in _LOOKS:
            findings.append(look())
            self.stdout.write(str(findings[-1]))
        if not all(finding.is_well for finding in findings):
            sys.exit(1)
