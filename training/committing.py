"""Commits epochs beside the training: a slow storage does not hold up the page.

What ends while an epoch is being stored waits. Of those that wait only the newest checkpoint is
stored, and with it all of them are committed. The trainer waits only where more would be at
risk than may be: see docs/faults.md.
"""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from django.db import connection

from jobs.errors import Interrupted
from jobs.patience import persist
from jobs.reporter import Reporter
from training import epochs
from training.messages import Message
from training.models import TrainingRun

log = logging.getLogger(__name__)

_STEP_SECONDS = 0.2
#: A storage that fails is given up sooner; one that neither takes an epoch nor fails, then.
_STUCK_SECONDS = 3600.0


class Committer:
    """A thread that commits the epochs of one attempt, in order; a context manager."""

    def __init__(self, run: TrainingRun, reporter: Reporter) -> None:
        self._run = run
        self._reporter = reporter
        self._changed = threading.Condition()
        self._waiting: list[Message] = []
        self._is_busy = self._is_closed = False
        self._failure: BaseException | None = None
        self._busy_since = 0.0
        #: The last epoch that the trainer in hand need not bring again.
        self.committed = 0
        self._thread = threading.Thread(target=self._work, name="committer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(_STEP_SECONDS)

    def add(self, message: Message) -> None:
        """Take an epoch; those that still wait need no weights of their own any more."""
        with self._changed:
            for older in self._waiting:
                epochs.drop_files(older, epochs.LAST)
                if message.get(epochs.BEST):
                    epochs.drop_files(older, epochs.BEST)
            self._waiting.append(message)
            self._changed.notify_all()

    def raise_if_failed(self) -> None:
        """Raise what kept an epoch from being committed.

        Raises:
            Interrupted: also where one has been stored for so long that it will never be.
        """
        if self._failure is not None:
            raise self._failure
        if self._is_busy and time.monotonic() - self._busy_since > _STUCK_SECONDS:
            raise Interrupted("storage_away")

    def finish(self, check: Callable[[], None]) -> None:
        """Wait until all that was taken is committed.

        Args:
            check: called while waiting; raises where nobody wants to wait any longer.

        Raises:
            LeaseLost, Interrupted: it cannot be; see `epochs.commit`.
        """
        while not self._is_idle(_STEP_SECONDS):
            check()
        self.raise_if_failed()

    def settle(self, seconds: float) -> None:
        """Wait so long at most, for whoever has to leave: what is not committed is done again."""
        deadline = time.monotonic() + seconds
        while not self._is_idle(_STEP_SECONDS) and time.monotonic() < deadline:
            pass

    def _is_idle(self, within: float) -> bool:
        def is_idle() -> bool:
            return self._failure is not None or not (self._waiting or self._is_busy)

        with self._changed:
            return self._changed.wait_for(is_idle, within)

    def _work(self) -> None:
        try:
            while batch := self._next():
                # Its lines come before its frame.
                persist(self._reporter.flush, patience=epochs.PATIENCE_SECONDS)
                epochs.commit(self._run, batch, self._reporter.raise_if_cancelled)
                self.committed = int(batch[-1]["epoch"])
        except BaseException as error:  # noqa: BLE001  raised where the attempt listens
            log.info("The commits of %s end: %r", self._run, error)
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            connection.close()

    def _next(self) -> list[Message]:
        """Return the epochs that wait; none where nobody will bring any more."""
        with self._changed:
            self._is_busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            # After the end nobody wants what still waits: it is not the attempt's any more.
            batch, self._waiting = ([] if self._is_closed else self._waiting), []
            # In this order: whoever looks in between sees no work that began long ago.
            self._busy_since = time.monotonic()
            self._is_busy = bool(batch)
            return batch
