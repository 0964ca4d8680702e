"""The story that bench-live shows: ten runs that talk, written as a supervisor writes.

`python -m benchmarks.live_story fill RUNS PEOPLE` prints runs and session keys as JSON.
`python -m benchmarks.live_story tell SECONDS RATE BURST_EVERY RUN …` talks, then prints the number
of the last frame of each run.
"""

import json
import os
import sys
import time
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
from projects.models import Membership  # noqa: E402
from projects.services import create_project  # noqa: E402
from training.models import TrainingRun  # noqa: E402

BURST = 400
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

    Returns:
        The number of the last frame of each run.
    """
    runs = [TrainingRun.objects.get(pk=pk) for pk in ids]
    began = time.monotonic()
    bursts = [began + burst_every * (n + 1) / len(runs) for n in range(len(runs))]
    lines = 0
    while time.monotonic() < began + seconds:
        for number, run in enumerate(runs):
            is_burst = burst_every and time.monotonic() >= bursts[number]
            if is_burst:
                bursts[number] += burst_every
            _append(run, BURST if is_burst else 1)
        lines += 1
        time.sleep(max(0.0, began + lines / rate - time.monotonic()))
    return {str(run.pk): run.last_seq for run in runs}


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
    else:
        seconds, rate, burst_every = map(float, rest[:3])
        found = tell(rest[3:], seconds=seconds, rate=rate, burst_every=burst_every)
    print(json.dumps(found), flush=True)
