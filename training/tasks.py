"""What RQ calls on a training worker."""

import logging
from functools import partial

from jobs.identity import leaving
from jobs.patience import persist
from jobs.runner import run_job
from training.experience import learn
from training.models import TrainingRun
from training.services import next_run

log = logging.getLogger(__name__)

_LEARN_SECONDS = 10.0


def run_training(run_id: str) -> None:
    """Train the run that comes first; the delivered id only says that somebody waits."""
    run_next()


def run_next(*, gpu_class: str | None = None) -> None:
    """Train the run that comes first, in the order that people are shown.

    Where another worker is faster, the next is tried.

    Args:
        gpu_class: of the worker's card: runs that ask for another one are left alone.
    """
    from training.supervisor import train

    while not leaving.is_set():
        run = persist(partial(next_run, gpu_class=gpu_class))
        if run is None:
            return
        if run_job(TrainingRun, str(run.pk), train):
            _learn_from(run)
            return


def _learn_from(run: TrainingRun) -> None:
    """Keep what the attempt took; that it cannot be kept is no reason to fail."""
    try:
        persist(lambda: learn(TrainingRun.objects.get(pk=run.pk)), patience=_LEARN_SECONDS)
    except Exception:
        log.exception("What a training took is not known")
