"""What RQ calls on a training worker."""

from jobs.runner import run_job
from training.models import TrainingRun
from training.services import next_run


def run_training(run_id: str) -> None:
    """Train the run that comes first; the delivered id only says that somebody waits.

    As many deliveries arrive as runs wait, so each gets its turn, in the order that people are
    shown: by priority, then by waiting time.
    """
    from training.supervisor import train

    run = next_run()
    run_job(TrainingRun, str(run.pk) if run else run_id, train)
