"""What the workers of the tests run: a training without the training, and ways to go wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from jobs import transitions
from jobs.errors import LeaseLost, UserError
from jobs.patience import persist
from jobs.reporter import Reporter
from jobs.runner import Commit, run_job
from jobs.states import Status
from tests.fake_jobs.models import FakeEpoch, FakeJob, FakeRefusal


def run_fake(job_id: str) -> None:
    """Run one fake job; an attempt that lost it still tries to write, and tells what came of it."""
    run_job(FakeJob, job_id, work_and_insist)


def work_and_insist(job: FakeJob, reporter: Reporter) -> Commit | None:
    """Work; after a loss, try every kind of write once more."""
    try:
        return work(job, reporter)
    except LeaseLost:
        for write in (
            lambda: commit_epoch(job, job.epochs.count() + 1),
            lambda: transitions.append(job, [("log", {"level": "info", "text": "stale"})]),
            lambda: transitions.finish(job, Status.SUCCEEDED) or refused(),
            lambda: transitions.take_back(job) or refused(),
            lambda: transitions.renew(job) or refused(),
        ):
            persist(lambda write=write: insist(job, write))  # type: ignore[misc]
        raise


def insist(job: FakeJob, write: Callable[[], object]) -> None:
    """Write, and note whether it was refused."""
    try:
        write()
        was_accepted = True
    except LeaseLost:
        was_accepted = False
    FakeRefusal.objects.create(job=job, attempt=job.attempt, was_accepted=was_accepted)


def refused() -> None:
    """Say in one way what others say by False."""
    raise LeaseLost


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
        payload = {"epoch": epoch, "attempt": job.attempt, "loss": float("nan")}
        transitions.append(job, [("epoch", payload)])


def sleep(job: FakeJob, reporter: Reporter) -> None:
    """Work for a while, in steps after which a wish is heard."""
    until = time.monotonic() + job.pause
    while time.monotonic() < until:
        reporter.raise_if_cancelled()
        time.sleep(min(0.02, job.pause))


def refuse() -> None:
    """Blame the caller."""
    raise UserError("not_resumable")
