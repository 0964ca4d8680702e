"""`manage.py run_worker QUEUE`: one RQ worker on one queue, with the JSON serializer."""

import logging
import os
import signal
import time
from argparse import ArgumentParser
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string
from rq.serializers import JSONSerializer

from jobs.identity import worker_name

log = logging.getLogger(__name__)

#: RQ waits for a delivery 15 s less than this, and 10 s longer for an answer from Redis: a Redis
#: that hangs, or is cut off, is noticed after 15 s at most.
_WORKER_TTL = 20


class Command(BaseCommand):
    """Serves one queue until it is told to stop."""

    help = "Run one worker on one queue (imports, training or detection)."

    # They import all pages, which a worker never serves; `manage.py up` starts many at once.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("queue", choices=sorted(settings.RQ_QUEUES))
        parser.add_argument("--burst", action="store_true", help="end when the queue is empty")

    def handle(self, *_: Any, queue: str, burst: bool, **__: Any) -> None:
        """Make the queue's kind of worker and let it work."""
        os.umask(0o077)
        worker_class = import_string(settings.JOB_WORKERS[queue])
        worker = worker_class(
            [queue],
            connection=self._patient_client(),
            name=worker_name(),
            serializer=JSONSerializer,
            worker_ttl=_WORKER_TTL,
        )
        # Set where the starter ignores it, and then no child could be waited for.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        worker.serve(burst=burst)

    def _patient_client(self) -> redis.Redis:
        """Wait for Redis: at the start of the machine it may be up last."""
        client = redis.Redis.from_url(settings.REDIS_URL)
        while True:
            try:
                client.ping()
                return client
            except redis.RedisError as error:
                log.warning("Redis is away (%s); trying again", type(error).__name__)
                time.sleep(1.0)
