"""Workers that go wrong themselves."""

import os
from typing import Any

from jobs.worker import ForkingWorker


class DyingWorker(ForkingWorker):
    """Dies with what it has just fetched."""

    def execute_job(self, job: Any, queue: Any) -> None:
        """Die."""
        os._exit(1)


class HastyWorker(ForkingWorker):
    """Waits only a moment for its child to give its job back."""

    give_back_seconds = 0.5
