"""The story that bench-live shows: ten runs that talk, written as a supervisor writes.

`python -m benchmarks.live_story fill RUNS PEOPLE` prints runs and session keys as JSON.
`python -m benchmarks.live_story tell SECONDS RATE BURST_EVERY RUN …` talks, `… end RUN …` ends the
runs, `… last RUN …` does neither; each prints the number of the last frame of each run.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cvtrainer_site.settings")

import django

django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from datasets.models import Dataset, DatasetVersion  # noqa: E402
from jobs import transitions  # noqa: E402
from jobs.frames import Frame  # noqa: E402
from jobs.models import JobEvent  # noqa: E402
from jobs.states import Status  # noqa: E402
from projects.models import Membership  # noqa: E402
from projects.services import create_project  # noqa: E402
from training import epochs  # noqa: E402
from training.models import TrainingRun  # noqa: E402

BURST = 400
EPOCH_SECONDS, PROGRESS_SECONDS = 10.0, 1.0
_MACHINE = {"gpu_use": 87.0, "gpu_memory_used_mb": 4321.0, "gpu_memory_total_mb": 15360.0}
_TEXT = "      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size  line"


def fill(runs: int, people: int) -> dict[str, Any]:
    """Make runs that somebody holds, and people who may see them, each signed in once."""
    owner = User.objects.get(username="admin")
    project = create_project(user=owner, name="bench")
    dataset = Dataset.objects.create(project=project, name="bench")
    version = DatasetVersion.objects.create(
        dataset=dataset, number=1, status="ready", source="zip", split_ratio=0.2
    )
    users = User.objects.bulk_create(
        User(username=f"viewer{number}", password="!") for number in range(people)
    )
    Membership.objects.bulk_create(
        Membership(project=project, user=user, role="viewer") for user in users
    )
    with transaction.atomic():
        sessions = [_sign_in(user) for user in users]
    return {"runs": [_run(project, version, n) for n in range(runs)], "sessions": sessions}


def _sign_in(user: User) -> str:
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return str(store.session_key)


def _run(project: Any, version: DatasetVersion, number: int) -> str:
    run = TrainingRun.objects.create(
        project=project, dataset_version=version, name=f"run {number}", options={"epochs": 100}
    )
    transitions.claim(TrainingRun, run.pk, worker="bench")
    return str(run.pk)


def tell(ids: list[str], *, seconds: float, rate: float, burst_every: float) -> dict[str, int]:
    """Write `rate` lines a second for each run, each line when it comes, and bursts in turns.

    Beside the log each run says how far it is, and commits epochs, as a supervisor does.

    Returns:
        The number of the last frame of each run.
    """
    runs = _runs(ids)
    began = time.monotonic()
    bursts, ends, progress = (
        [_Due(every, began + every * (n + 1) / len(runs)) for n in range(len(runs))]
        for every in (burst_every, EPOCH_SECONDS, PROGRESS_SECONDS)
    )
    lines = 0
    while time.monotonic() < began + seconds:
        for number, run in enumerate(runs):
            _append(run, BURST if bursts[number].is_now() else 1)
            if progress[number].is_now():
                _progress(run)
            if ends[number].is_now():
                epochs.commit(run, [_epoch(run)], lambda: None)
        lines += 1
        time.sleep(max(0.0, began + lines / rate - time.monotonic()))
    return _last(runs)


def end(ids: list[str]) -> dict[str, int]:
    """End all runs well, one right after the other."""
    runs = _runs(ids)
    for run in runs:
        transitions.finish(run, Status.SUCCEEDED)
    return _last(runs)


@dataclass
class _Due:
    """Something that comes every so often."""

    every: float
    at: float

    def is_now(self) -> bool:
        if time.monotonic() < self.at:
            return False
        self.at += self.every
        return True


def _runs(ids: list[str]) -> list[TrainingRun]:
    return [TrainingRun.objects.get(pk=pk) for pk in ids]


def _last(runs: list[TrainingRun]) -> dict[str, int]:
    return {str(run.pk): run.last_seq for run in runs}


def _progress(run: TrainingRun) -> None:
    state = {"phase": "train", "done": run.epoch, "total": 100, "percent": run.epoch % 100 + 0.5}
    state |= {"epoch": run.epoch + 1, "batch": 40, "batches": 80, "eta_seconds": 900.0}
    state |= {"images_per_second": 123.4, **_MACHINE}
    transitions.append(run, [(JobEvent.Type.PROGRESS, state)], progress=state)


def _epoch(run: TrainingRun) -> dict[str, Any]:
    """Return what a trainer says at the end of an epoch, without weights and pictures."""
    number = run.epoch + 1
    losses = {"box_loss": 1.23456, "cls_loss": 0.98765, "dfl_loss": 1.05432}
    quality = {"precision": 0.81234, "recall": 0.76543, "map50": 0.80123, "map50_95": 0.56789}
    told = {"lr": 0.001234, "seconds": 10.0, "images_per_second": 123.4, "gpu_memory_mb": 4321.0}
    return {
        **told,
        "type": "epoch",
        "epoch": number,
        "train": losses,
        "val": {**losses, **quality},
        "machine": _MACHINE,
        "is_best": number % 3 == 1,
        "checkpoint": None,
        "best_checkpoint": None,
    }


def _append(run: TrainingRun, count: int) -> None:
    frames = [
        Frame(JobEvent.Type.LOG, {"level": "info", "text": f"{_TEXT} {n}"}, timezone.now())
        for n in range(count)
    ]
    transitions.append(run, frames)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "fill":
        found: Any = fill(int(rest[0]), int(rest[1]))
    elif what == "tell":
        seconds, rate, burst_every = map(float, rest[:3])
        found = tell(rest[3:], seconds=seconds, rate=rate, burst_every=burst_every)
    else:
        found = end(rest) if what == "end" else _last(_runs(rest))
    print(json.dumps(found), flush=True)
