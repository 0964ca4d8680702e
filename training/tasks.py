"""What RQ calls on a training worker."""

from functools import partial

from jobs.identity import leaving
from jobs.patience import persist
from jobs.runner import run_job
from training.models import TrainingRun
from training.services import next_run


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
        if run is None or run_job(TrainingRun, str(run.pk), train):
            return
