"""RQ workers that survive what RQ's own do not: a Redis restart, and their child's sudden death."""

import ctypes
import logging
import os
import signal
from typing import Any

import redis
import rq
from django.db import DatabaseError, connections

from jobs import reconcile
from jobs.identity import worker_name

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask Linux to kill this process when the thread that started it dies; elsewhere do nothing."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    except (OSError, AttributeError):
        log.warning("This system cannot tie a process to its parent's life")


class ForgivingMixin:
    """Heartbeats in Redis are cosmetic here: the lease in the database is what counts."""

    def maintain_heartbeats(self, job: Any) -> None:
        """Refresh RQ's own heartbeats; a Redis that is away must not end the work."""
        try:
            super().maintain_heartbeats(job)  # type: ignore[misc]
        except redis.RedisError:
            log.warning("Redis is away; the work goes on")

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """Refresh the worker's heartbeat, or leave it."""
        try:
            super().heartbeat(*args, **kwargs)  # type: ignore[misc]
        except redis.RedisError:
            log.warning("Redis is away; no heartbeat")


class ForkingWorker(ForgivingMixin, rq.Worker):
    """Forks a child for each job; the child dies with it, and its rows are taken back at once."""

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run one job in a child; no database connection may be shared with it."""
        os.environ["CVTRAINER_WORKER"] = worker_name()
        connections.close_all()
        super().execute_job(job, queue)

    def main_work_horse(self, job: Any, queue: Any) -> None:
        """Tie the child's life to the worker's, then work."""
        parent = os.getppid()
        die_with_parent()
        if os.getppid() != parent or parent == 1:
            os._exit(1)
        super().main_work_horse(job, queue)

    def monitor_work_horse(self, job: Any, queue: Any) -> None:
        """Wait for the child; whatever Redis does meanwhile, then take back what it still holds."""
        while True:
            try:
                super().monitor_work_horse(job, queue)
                break
            except redis.RedisError:
                log.warning("Redis is away; still waiting for the child")
                if not self._horse_lives():
                    break
        self._horse_pid = 0
        try:
            reconcile.worker_gone(worker=worker_name())
        except DatabaseError:
            log.warning("The database is away; the reconciler takes back what the child held")
        connections.close_all()

    def request_stop(self, signum: int, frame: Any) -> None:
        """On the first SIGTERM or SIGINT, ask the child to give its job back as well."""
        super().request_stop(signum, frame)
        if self.horse_pid:
            try:
                os.kill(self.horse_pid, signal.SIGTERM)
            except ProcessLookupError:
                log.info("The child has ended already")

    def _horse_lives(self) -> bool:
        try:
            pid, _ = os.waitpid(self.horse_pid, os.WNOHANG)
        except ChildProcessError:
            return False
        return pid == 0


class InProcessWorker(ForgivingMixin, rq.SimpleWorker):
    """Works in its own process, so that what it loaded stays warm."""
