"""RQ workers that only deliver: the row says what is to be done, and Redis may go away meanwhile.

What a worker is and does stands in a row of its own (`jobs.beat`), and so does what people wish of
it: one that is drained, or may not work on its host, takes nothing.

Of RQ's own life of a job (its statuses, registries, callbacks, retries) nothing is used: each step
of it needs a Redis that answers, and could name code to run.
"""

import contextlib
import logging
import os
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
from jobs.beat import Beat
from jobs.child import STOP_SIGNALS, be_child
from jobs.delivery import preload, task_in
from jobs.errors import UserError
from jobs.identity import giving_back, leave, leaving, worker_name
from jobs.queue import deliver_again
from jobs.redis_client import quick_client
from jobs.worker_rows import Drain, WorkerState

log = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0
#: RQ's list forgets an idle worker of which it heard nothing for so long; it beats every 5 s.
_IDLE_SECONDS = 30
#: How long an idle worker waits for the bell before it looks whether it may still work.
_LOOK_SECONDS = 5
#: How often a worker that may not work looks whether it may by now.
_GATE_SECONDS = 1.0
#: How often a worker looks up from waiting for its child.
_WATCH_SECONDS = 1

#: How a worker stands that may work, or does not: its state, and code and parameters of the reason.
Admission = tuple[WorkerState, dict[str, Any] | None]


class DeliveringWorker(BaseWorker):
    """Fetches deliveries by RQ, for as long as it is not told to leave."""

    max_connection_wait_time = 2.0
    #: RQ's list forgets a busy worker of which it heard nothing for so long.
    busy_seconds = 90
    log_job_description = False
    #: People wish that the job at hand goes back, which is no loss then.
    _is_given_back = False

    def serve(self, *, burst: bool = False) -> None:
        """Work until SIGTERM; what ends RQ's own loop, such as a Redis that hangs, does not."""
        preload(self.queue_names())
        _take_back_from_the_dead()
        self.beat = Beat(
            name=worker_name(), queue=self.queue_names()[0], on_drain=self.drained_at_once
        )
        self.beat.start()
        try:
            with contextlib.suppress(StopRequested):
                self._work_on(burst)
        finally:
            self.beat.stop()

    def _work_on(self, burst: bool) -> None:
        while not leaving.is_set():
            try:
                self.work(burst=burst, logging_level="WARNING")
            except redis.RedisError as error:
                log.warning("Redis is away (%s); trying again", type(error).__name__)
            if burst:
                return
            time.sleep(_RESTART_SECONDS)

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: Any = None) -> Any:
        """Wait for a delivery, for as long as this worker may work at all."""
        is_burst = timeout is None
        while self._wait_until_admitted(not is_burst):
            if self.work_unasked():
                if self._stop_requested:
                    raise StopRequested
                continue
            found = super().dequeue_job_and_maintain_ttl(timeout, _LOOK_SECONDS)
            if found is not None or is_burst:
                return found
        return None

    def admission(self) -> Admission:
        """Tell whether this worker may work on this host: IDLE where it may."""
        if self.beat.shares_sqlite:
            return WorkerState.REFUSED, UserError("sqlite_elsewhere").as_row()
        return WorkerState.IDLE, None

    def work_unasked(self) -> bool:
        """Do what no bell may have rung for; False where there is nothing."""
        return False

    def execute_job(self, job: Any, queue: Any) -> None:
        """Do what a delivery asks for, unless people have drained this worker meanwhile."""
        self._state = WorkerStatus.BUSY
        try:
            self._note_arrival(job, queue)
            task = task_in(job)
            if task is None:
                return
            if self.beat.is_drained():
                deliver_again(job, queue.name, at_front=True)
            else:
                self.answer(job, task)
        finally:
            self._state = WorkerStatus.IDLE

    def answer(self, delivery: Any, task: Callable[[], None]) -> None:
        """Do what a delivery asks for."""
        self.do(task)

    def do(self, task: Callable[[], None]) -> None:
        """Do a task, and take back what it leaves behind unfinished."""
        self._state = WorkerStatus.BUSY
        self._is_given_back = False
        self.beat.begin_work()
        try:
            self.perform(task)
        finally:
            self._state = WorkerStatus.IDLE
            self.beat.tell(state=WorkerState.IDLE)
            _take_back_the_rest(counts_as_loss=not (leaving.is_set() or self._is_given_back))

    def perform(self, task: Callable[[], None]) -> None:
        """Call the task."""
        raise NotImplementedError

    def drained_at_once(self) -> None:
        """Hear that the work at hand is to go back; called by the thread of the beat."""

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
        leave()
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

    def _wait_until_admitted(self, is_patient: bool) -> bool:
        """Wait while this worker may not work; without patience, tell at once."""
        while True:
            state, reason = self.admission()
            self.beat.tell(state=state, reason=reason)
            if state == WorkerState.IDLE and not self.beat.is_drained():
                return True
            if not is_patient:
                return False
            self.heartbeat()
            time.sleep(_GATE_SECONDS)

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

    #: What a drained worker's child gets to give its job back, before it is killed.
    give_back_seconds = 30.0

    def perform(self, task: Callable[[], None]) -> None:
        """Call the task in a child; wait for it, whatever Redis does meanwhile."""
        parent, name = os.getpid(), worker_name()
        # No database connection may be shared with the child.
        with self.beat.still():
            connections.close_all()
            # No signal may come before it is settled who handles it.
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
            self._horse_pid = os.fork()
            if self._horse_pid == 0:
                be_child(task, parent=parent, name=name)
        with contextlib.suppress(OSError):  # the child does the same; whoever is first
            os.setpgid(self._horse_pid, self._horse_pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
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
        beaten_at = time.monotonic()
        while True:
            try:
                with self.death_penalty_class(_WATCH_SECONDS, HorseMonitorTimeoutException):
                    # Not reaped yet: its process id, which names its group, stays taken.
                    os.waitid(os.P_PID, self.horse_pid, os.WEXITED | os.WNOWAIT)
                break
            except HorseMonitorTimeoutException:
                self._give_back_if_drained()
                if time.monotonic() - beaten_at >= self.job_monitoring_interval:
                    self.heartbeat()
                    beaten_at = time.monotonic()
            except ChildProcessError:
                return
        self.kill_horse()
        self.wait_for_horse()

    def _give_back_if_drained(self) -> None:
        """Have the child give its job back where people wish it; one that does not is killed."""
        now = time.monotonic()
        if self.beat.drain != Drain.NOW:
            return
        if not self._is_given_back:
            self._is_given_back, self._asked_at = True, now
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)
        elif now - self._asked_at > self.give_back_seconds:
            self.kill_horse()


class InProcessWorker(DeliveringWorker, rq.SimpleWorker):
    """Works in its own process, so that what it loaded stays warm."""

    # Nobody tells Redis of it while it works.
    busy_seconds = 900

    def drained_at_once(self) -> None:
        """Have the work at hand give its job back."""
        self._is_given_back = True
        giving_back.set()

    def perform(self, task: Callable[[], None]) -> None:
        """Call the task; its failure is not the worker's."""
        if not leaving.is_set():
            giving_back.clear()
        try:
            task()
        except (Exception, SystemExit):
            if leaving.is_set():
                raise
            log.exception("A task failed outside its job")


def _take_back_from_the_dead() -> None:
    """Take back what a killed worker held, in whose place this one may have been started."""
    try:
        reconcile.take_back_from_the_dead()
    except (DatabaseError, InterfaceError):
        log.warning("The database is away; the reconciler takes back what dead workers held")
    connections.close_all()


def _take_back_the_rest(*, counts_as_loss: bool) -> None:
    """Take back what the task did not end: its process died, or it left by another door."""
    try:
        reconcile.worker_gone(worker=worker_name(), counts_as_loss=counts_as_loss)
    except (DatabaseError, InterfaceError):
        log.warning("The database is away; the reconciler takes back what the worker held")
        connections.close_all()
