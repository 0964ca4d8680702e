"""RQ workers that only deliver: the row says what is to be done, and Redis may go away meanwhile.

Of RQ's own life of a job (its statuses, registries, callbacks, retries) nothing is used: each step
of it needs a Redis that answers, and could name code to run.
"""

import contextlib
import ctypes
import logging
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import redis
import rq
from django.db import DatabaseError, InterfaceError, connections
from rq.exceptions import StopRequested
from rq.timeouts import HorseMonitorTimeoutException
from rq.worker import BaseWorker, WorkerStatus
from rq.worker_registration import clean_worker_registry, register

from jobs import reconcile
from jobs.delivery import preload, task_in
from jobs.identity import leaving, worker_name
from jobs.redis_client import quick_client

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_RESTART_SECONDS = 1.0
#: RQ's list forgets an idle worker of which it heard nothing for so long; it beats every 5 s.
_IDLE_SECONDS = 30
_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask Linux to kill this process when the thread that started it dies; elsewhere do nothing."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    except (OSError, AttributeError):
        log.warning("This system cannot tie a process to its parent's life")


class DeliveringWorker(BaseWorker):
    """Fetches deliveries by RQ, for as long as it is not told to leave."""

    max_connection_wait_time = 2.0
    #: RQ's list forgets a busy worker of which it heard nothing for so long.
    busy_seconds = 90
    log_job_description = False

    def serve(self, *, burst: bool = False) -> None:
        """Work until SIGTERM; what ends RQ's own loop, such as a Redis that hangs, does not."""
        preload(self.queue_names())
        _take_back_from_the_dead()
        with contextlib.suppress(StopRequested):
            while not leaving.is_set():
                try:
                    self.work(burst=burst, logging_level="WARNING")
                except redis.RedisError as error:
                    log.warning("Redis is away (%s); trying again", type(error).__name__)
                if burst:
                    return
                time.sleep(_RESTART_SECONDS)

    def execute_job(self, job: Any, queue: Any) -> None:
        """Do what a delivery asks for, and take back what it leaves behind unfinished."""
        self._state = WorkerStatus.BUSY
        self._note_arrival(job, queue)
        task = task_in(job)
        try:
            if task is not None:
                self.perform(task)
        finally:
            self._state = WorkerStatus.IDLE
            _take_back_the_rest()

    def perform(self, task: Callable[[], None]) -> None:
        """Call the task."""
        raise NotImplementedError

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Stand in RQ's list of workers, which Redis may have lost since; or leave it."""
        self.last_heartbeat = rq.utils.now()
        seconds = self.busy_seconds if self._state == WorkerStatus.BUSY else _IDLE_SECONDS
        try:
            with quick_client().pipeline() as redis_calls:
                register(self, redis_calls)
                redis_calls.hset(self.key, mapping={**self.serialize(), "state": self._state})
                redis_calls.expire(self.key, seconds)
                redis_calls.execute()
        except redis.RedisError:
            log.info("Redis is away; the work goes on")

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Tell RQ's list of workers what we do, or leave it."""
        with contextlib.suppress(redis.RedisError):
            super().set_state(state, pipeline)

    def request_stop(self, signum: int, frame: Any) -> None:
        """On the first SIGTERM or SIGINT, have the work give its job back, then leave."""
        leaving.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def register_birth(self) -> None:
        """Register; the name is ours alone, whatever an earlier try left behind."""
        self.connection.delete(self.key)
        super().register_birth()  # type: ignore[no-untyped-call]

    def teardown(self) -> None:
        """Leave RQ's list of workers, if Redis is there to hear it."""
        try:
            super().teardown()  # type: ignore[no-untyped-call]
        except redis.RedisError:
            log.info("Redis is away; it forgets this worker by itself")

    def run_maintenance_tasks(self) -> None:
        """Forget dead workers and what they popped: the reconciler delivers that again."""
        for queue in self.queues:
            clean_worker_registry(queue)
            queue.connection.delete(queue.intermediate_queue_key)
        self.last_cleaned_at = rq.utils.now()  # type: ignore[assignment]

    def subscribe(self) -> None:
        """Take no commands from Redis: wishes stand in the row."""

    def unsubscribe(self) -> None:
        """Nothing to undo."""

    def set_shutdown_requested_date(self) -> None:
        """Write nothing to Redis from inside a signal's handler."""

    def _note_arrival(self, job: Any, queue: Any) -> None:
        """Remove what RQ keeps of a delivery: it has arrived."""
        try:
            client = quick_client()
            client.lrem(queue.intermediate_queue_key, 1, job.id)
            client.delete(job.key)
        except redis.RedisError:
            log.info("Redis is away; the delivery stays there, and finds nothing to claim")
        else:
            self.heartbeat()


class ForkingWorker(DeliveringWorker, rq.Worker):
    """Forks a child for each job; the child dies with it, and its rows are taken back at once."""

    def perform(self, task: Callable[[], None]) -> None:
        """Call the task in a child; wait for it, whatever Redis does meanwhile."""
        # No database connection may be shared with the child.
        connections.close_all()
        # No signal may come before it is settled who handles it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        parent, name = os.getpid(), worker_name()
        self._horse_pid = os.fork()
        if self._horse_pid == 0:
            _be_child(task, parent=parent, name=name)
        with contextlib.suppress(OSError):  # the child does the same; whoever is first
            os.setpgid(self._horse_pid, self._horse_pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
        try:
            self._await_child()
        finally:
            self._horse_pid = 0

    def request_stop(self, signum: int, frame: Any) -> None:
        """Tell the child as well."""
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)
        super().request_stop(signum, frame)

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Kill the child and whatever it started in its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.horse_pid, sig)

    def _await_child(self) -> None:
        """Wait until the child has ended, and take down what it started."""
        while True:
            try:
                with self.death_penalty_class(
                    self.job_monitoring_interval, HorseMonitorTimeoutException
                ):
                    # Not reaped yet: its process id, which names its group, stays taken.
                    os.waitid(os.P_PID, self.horse_pid, os.WEXITED | os.WNOWAIT)
                break
            except HorseMonitorTimeoutException:
                self.heartbeat()
            except ChildProcessError:
                return
        self.kill_horse()
        self.wait_for_horse()


class InProcessWorker(DeliveringWorker, rq.SimpleWorker):
    """Works in its own process, so that what it loaded stays warm."""

    # Nobody beats for it while it works.
    busy_seconds = 900

    def perform(self, task: Callable[[], None]) -> None:
        """Call the task; its failure is not the worker's."""
        try:
            task()
        except (Exception, SystemExit):
            if leaving.is_set():
                raise
            log.exception("A task failed outside its job")


def _be_child(task: Callable[[], None], *, parent: int, name: str) -> None:
    """Be the child: tied to the worker's life, in a process group of its own; never return."""
    status = 1
    try:
        os.setpgid(0, 0)
        die_with_parent()
        if os.getppid() == parent:
            os.environ["CVTRAINER_WORKER"] = name
            random.seed()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, lambda *_: leaving.set())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
            task()
            status = 0
    except BaseException:
        log.exception("A task failed outside its job")
    finally:
        logging.shutdown()
        os._exit(status)


def _take_back_from_the_dead() -> None:
    """Take back what a killed worker held, in whose place this one may have been started."""
    try:
        reconcile.take_back_from_the_dead()
    except (DatabaseError, InterfaceError):
        log.warning("The database is away; the reconciler takes back what dead workers held")
    connections.close_all()


def _take_back_the_rest() -> None:
    """Take back what the task did not end: its process died, or it left by another door."""
    try:
        reconcile.worker_gone(worker=worker_name(), counts_as_loss=not leaving.is_set())
    except (DatabaseError, InterfaceError):
        log.warning("The database is away; the reconciler takes back what the worker held")
        connections.close_all()
