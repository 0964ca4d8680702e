"""Keeps the row of this worker true: what it is, what it does, that it lives.

A thread writes, so that neither the work nor the waiting for work hangs on the database; and it
reads what people wish of the worker.
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from jobs.identity import machine
from jobs.worker_rows import Drain, Worker, WorkerState

log = logging.getLogger(__name__)

#: Between two writes, however often the state changes.
_BREATH_SECONDS = 1.0
_JOIN_SECONDS = 3.0


class Beat:
    """The row of one worker; made, told and read by its main thread.

    Args:
        name: the worker's, as it stands in the rows that it holds.
        on_drain: called by the thread where what a busy worker does is to be given back.
    """

    def __init__(
        self, *, name: str, queue: str, on_drain: Callable[[], None] = lambda: None
    ) -> None:
        self.name = name
        #: What people wish of this worker, as last heard.
        self.drain: str = Drain.NO
        #: A machine too many: SQLite's locks hold on one alone, over a network they lose writes.
        self.shares_sqlite = False
        self._on_drain = on_drain
        self._columns: dict[str, Any] = {
            "host": socket.gethostname()[:100],
            "machine": machine()[:64],
            "queue": queue,
            "state": WorkerState.STARTING,
        }
        self._told, self._written = 0, -1
        self._seconds = settings.JOB_RENEW_SECONDS
        self._changed, self._done = threading.Event(), threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Begin to beat; the first time at once, before this worker takes anything."""
        self._reach(self._write)
        self._thread.start()

    def stop(self) -> None:
        """Take the row away: this worker leaves as it should. A database that hangs is left."""
        self._done.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def tell(self, **columns: Any) -> None:
        """Say what has changed; written soon, where it has."""
        if any(self._columns.get(key) != value for key, value in columns.items()):
            self._tell(columns)

    def begin_work(self) -> None:
        """Say that a job begins: busy since now, also where the last one has only just ended."""
        self._tell({"state": WorkerState.BUSY})

    def is_drained(self) -> bool:
        """Ask the database now whether this worker is to take nothing more."""
        try:
            rows = Worker.objects.filter(name=self.name)
            self.drain = rows.values_list("drain", flat=True).first() or Drain.NO
        except (OperationalError, InterfaceError):
            connection.close()
        return self.drain != Drain.NO

    @contextmanager
    def still(self) -> Iterator[None]:
        """Keep the thread from the database in the block, so that a fork shares no connection."""
        with self._writing:
            yield

    def _tell(self, columns: dict[str, Any]) -> None:
        if "state" in columns:
            self._told += 1
        # One assignment: the thread sees all of it or nothing.
        self._columns = {**self._columns, **columns}
        self._changed.set()

    def _run(self) -> None:
        while not self._done.is_set():
            self._changed.wait(self._seconds)
            self._changed.clear()
            if not self._done.is_set():
                self._reach(self._write)
                self._done.wait(min(_BREATH_SECONDS, self._seconds))
        self._reach(Worker.objects.filter(name=self.name).delete)

    def _reach(self, call: Callable[[], object]) -> None:
        """Do something with the database; a worker whose row cannot be written works on."""
        with self._writing:
            try:
                call()
            except (OperationalError, InterfaceError):
                log.info("The database is away; the row of this worker waits")
            except DatabaseError:
                log.exception("The row of this worker cannot be written")
            finally:
                connection.close()

    def _write(self) -> None:
        told, columns = self._told, self._columns
        fields = {**columns, "last_seen": Now()}
        if told != self._written:
            fields["since"] = Now()
        rows = Worker.objects.filter(name=self.name)
        if not rows.update(**fields):
            start = {"since": Now(), "started_at": Now()}
            Worker.objects.create(name=self.name, **{**start, **fields})
        self._written = told
        if connection.vendor == "sqlite":
            self.shares_sqlite = Worker.objects.on_another_machine(self.name).exists()
        self.drain = rows.values_list("drain", flat=True).first() or Drain.NO
        if self.drain == Drain.NOW and columns["state"] == WorkerState.BUSY:
            self._on_drain()
