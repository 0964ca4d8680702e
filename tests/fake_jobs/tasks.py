"""What the workers of the tests run: a training without the training, and ways to go wrong."""

import os
import signal
import subprocess
import sys
import time

from jobs import transitions
from jobs.errors import UserError
from jobs.patience import persist
from jobs.reporter import Reporter
from jobs.runner import Commit, run_job
from tests.fake_jobs.models import FakeEpoch, FakeJob


def run_fake(job_id: str) -> None:
    """Run one fake job."""
    run_job(FakeJob, job_id, work)


def work(job: FakeJob, reporter: Reporter) -> Commit | None:
    """Go on after the last committed epoch; misbehave where the row says so."""
    misbehave = {
        "exit0": lambda: os._exit(0),
        "sys_exit": lambda: sys.exit(0),
        "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "bug": lambda: 1 / 0,
        "user_error": refuse,
        "deaf": lambda: time.sleep(300),
        "bad_result": lambda: None,
        "orphan": lambda: subprocess.Popen(["sleep", "300"]),
    }
    reporter.log(f"attempt {job.attempt} begins")
    misbehave.get(job.behaviour, lambda: None)()
    for epoch in range(job.epochs.count() + 1, job.wanted + 1):
        sleep(job, reporter)
        reporter.raise_if_cancelled()
        persist(lambda epoch=epoch: commit_epoch(job, epoch))  # type: ignore[misc]
        reporter.log(f"epoch {epoch} of attempt {job.attempt}")
        reporter.progress("train", epoch, job.wanted)
    if job.behaviour == "slow_end":
        time.sleep(2.0)
    if job.behaviour == "impatient":
        for _ in range(100):
            FakeJob.objects.get(pk=job.pk)
            time.sleep(0.05)
    if job.behaviour == "bad_result":
        return refuse
    return None


def commit_epoch(job: FakeJob, epoch: int) -> None:
    """Write an epoch once, whatever became of an earlier try."""
    if FakeEpoch.objects.filter(job=job, epoch=epoch, attempt=job.attempt).exists():
        return
    with transitions.fenced(job, losses=0):
        FakeEpoch.objects.create(job=job, epoch=epoch, attempt=job.attempt)
        transitions.append(job, [("epoch", {"epoch": epoch, "val": {"map50": float("nan")}})])


def sleep(job: FakeJob, reporter: Reporter) -> None:
    """Work for a while, in steps after which a wish is heard."""
    until = time.monotonic() + job.pause
    while time.monotonic() < until:
        reporter.raise_if_cancelled()
        time.sleep(min(0.02, job.pause))


def refuse() -> None:
    """Blame the caller."""
    raise UserError("not_resumable")
