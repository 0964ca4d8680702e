"""The training worker: keeps a trainer with its libraries loaded, so that a run starts at once."""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from jobs.errors import UserError
from jobs.queue import deliver_again
from jobs.worker import Admission, ForkingWorker
from jobs.worker_rows import WorkerState
from training import quarantine
from training.card_worker import CardWorker
from training.models import TrainingRun
from training.process import Spare
from training.services import next_run
from training.tasks import run_next

log = logging.getLogger(__name__)

#: What a page says of a worker that takes nothing for a while.
_QUARANTINED = {"device_failed": "card_failed", "disk_full": "worker_disk_full"}


class TrainingWorker(CardWorker, ForkingWorker):
    """One a GPU; forks a supervisor for each run.

    The bell of the queue rings for all classes of cards at once. A worker that it calls looks into
    the database for a run that it fits, and passes on, once, a call that was for others; and it
    looks by itself whenever it has nothing to do, so that no run waits for a bell that rang
    elsewhere, or for the place that another run of its project has left.
    """

    has_card_alone = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._spare = Spare(
            sockets=Path(settings.SOCKET_DIR), config_dir=Path(settings.WORK_DIR) / "trainer"
        )
        self._tried: tuple[UUID, int] | None = None
        self._passed_on: deque[str] = deque(maxlen=1000)

    def admission(self) -> Admission:
        """Refuse while what failed here before is not over, whatever the card says."""
        found = super().admission()
        if found[0] == WorkerState.IDLE and (reason := quarantine.refusal()):
            return WorkerState.REFUSED, UserError(_QUARANTINED[reason]).as_row()
        return found

    def work_unasked(self) -> bool:
        """Have a spare trainer ready; train the run that comes first of those that fit."""
        self._spare.ensure()
        run = self._look(lambda: next_run(gpu_class=self.own_card.gpu_class))
        found = (run.pk, run.attempt) if run else None
        if found is None or found == self._tried:
            # What could not be claimed a moment ago is tried at the next look, not in a hurry.
            self._tried = None
            return False
        self._tried = found
        self.do(partial(run_next, gpu_class=self.own_card.gpu_class))
        return True

    def answer(self, delivery: Any, task: Callable[[], None]) -> None:
        """Train what comes first, which need not be what was delivered."""
        self._tried = None
        if not self.work_unasked() and self._is_for_others(delivery):
            self._passed_on.append(delivery.id)
            deliver_again(delivery, TrainingRun.queue)

    def perform(self, task: Callable[[], None]) -> None:
        """Run one training; its spare is used up afterwards."""
        try:
            super().perform(task)
        finally:
            self._spare.used()
            self.own_card.look_again()

    def teardown(self) -> None:
        """Leave no spare behind."""
        self._spare.used()
        super().teardown()

    def _is_for_others(self, delivery: Any) -> bool:
        """Whether the run of a delivery waits for another class, and we have not passed it on."""
        if delivery.id in self._passed_on:
            return False
        rows = TrainingRun.objects.claimable().filter(pk=delivery.args[0])
        others = rows.exclude(pk__in=rows.fitting(self.own_card.gpu_class))
        return bool(self._look(others.exists))

    def _look(self, ask: Callable[[], Any]) -> Any:
        """Ask the database; nothing where it is away."""
        try:
            return ask()
        except (OperationalError, InterfaceError):
            log.warning("The database is away; this worker looks again soon")
            connection.close()
            return None
