"""`manage.py run_worker QUEUE`: one RQ worker on one queue, with the JSON serializer."""

import logging
import os
import signal
from argparse import ArgumentParser
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string
from rq.serializers import JSONSerializer

from jobs.identity import worker_name

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Serves one queue until it is told to stop."""

    help = "Run one worker on one queue (imports, training or detection)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("queue", choices=sorted(settings.RQ_QUEUES))
        parser.add_argument("--burst", action="store_true", help="end when the queue is empty")

    def handle(self, *_: Any, queue: str, burst: bool, **__: Any) -> None:
        """Make the queue's kind of worker and let it work."""
        os.umask(0o077)
        worker_class = import_string(settings.JOB_WORKERS[queue])
        connection = redis.Redis.from_url(settings.REDIS_URL)
        worker = worker_class(
            [queue], connection=connection, name=worker_name(), serializer=JSONSerializer
        )
        # RQ's default is 405 s: a queue that a restarted Redis lost must not be waited for so long.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        worker.work(burst=burst, logging_level="WARNING", with_scheduler=False)
