#!/usr/bin/env python
"""Django's command line for CVTrainer."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from cvtrainer_site import env


def main() -> None:
    """Run one management command; a wrong environment is told in one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cvtrainer_site.settings")
    try:
        if sys.argv[1:2] in (["up"], ["restore"]):
            # The settings need them; the data home of a first start has none yet.
            env.generate_secrets()
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
