"""The training worker: keeps a trainer with its libraries loaded, so that a run starts at once."""

import time
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs.identity import leaving
from jobs.worker import ForkingWorker
from training import quarantine
from training.process import Spare

_LOOK_SECONDS = 1.0


class TrainingWorker(ForkingWorker):
    """One a GPU; forks a supervisor for each run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._spare = Spare(
            sockets=Path(settings.SOCKET_DIR), config_dir=Path(settings.WORK_DIR) / "trainer"
        )

    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> Any:
        """Have a spare trainer ready while waiting for the next run."""
        while quarantine.refusal() and not leaving.is_set():
            self.heartbeat()
            time.sleep(_LOOK_SECONDS)
        self._spare.ensure()
        return super().dequeue_job_and_maintain_ttl(*args, **kwargs)

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run one training; its spare is used up afterwards."""
        try:
            super().execute_job(job, queue)
        finally:
            self._spare.used()

    def teardown(self) -> None:
        """Leave no spare behind."""
        self._spare.used()
        super().teardown()
