"""What RQ calls on a training worker."""

from jobs.identity import leaving
from jobs.patience import persist
from jobs.runner import run_job
from training.models import TrainingRun
from training.services import next_run


def run_training(run_id: str) -> None:
    """Train the run that comes first; the delivered id only says that somebody waits.

    As many deliveries arrive as runs wait, so each gets its turn, in the order that people are
    shown: by priority, then by waiting time. Where another worker is faster, the next is tried:
    this delivery would be used up, and a run would wait for the reconciler.
    """
    from training.supervisor import train

    while not leaving.is_set():
        run = persist(next_run)
        if run is None or run_job(TrainingRun, str(run.pk), train):
            return
