"""The detection worker: works in its own process and loads the library before the first request."""

from typing import Any

from jobs.worker import InProcessWorker
from training.card_worker import CardWorker


class DetectionWorker(CardWorker, InProcessWorker):
    """Keeps models and picture decoders warm between requests; may share its card."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Load the library, then serve: nobody waits the seconds that this takes."""
        from detection.tasks import models, picture_pool

        models().warm_up()
        picture_pool()
        return bool(super().work(*args, **kwargs))
