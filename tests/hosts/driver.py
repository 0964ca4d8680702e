"""What the test does on the portal's database: run by `manage.py shell` on the hub.

`python -m tests.hosts.driver COMMAND [ARGUMENT]`, one JSON object on the last line of its output.
"""

import json
import sys
from typing import Any

import django


def begin(epochs: str) -> dict[str, Any]:
    """Import the rectangles, and queue a training on them."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from accounts.models import User
    from datasets.tasks import run_import
    from projects import services as projects
    from tests.datasets.importing import queue_file
    from tests.training.data import SIDE, rectangles_zip
    from training import services

    user = User.objects.create_user("owner")
    project = projects.create_project(user=user, name="hosts")
    file = SimpleUploadedFile("rectangles.zip", rectangles_zip(60))
    job = queue_file(project, user, file, dataset_name="rectangles", split_ratio=0.25)
    run_import(str(job.pk))
    job.refresh_from_db()
    options = {"epochs": int(epochs), "patience": 0, "imgsz": SIDE, "batch": 8}
    run = services.start_run(
        project=project,
        user=user,
        dataset_version=job.version,
        base_model="yolo26n-scratch",
        options=options,
    )
    return {"run": str(run.pk)}


def look(run_id: str) -> dict[str, Any]:
    """Tell how a run stands, with all of its epochs and the numbers of its story."""
    from training.models import TrainingRun

    run = TrainingRun.objects.get(pk=run_id)
    return {
        "status": run.status,
        "attempt": run.attempt,
        "worker": run.worker,
        "epoch": run.epoch,
        "error": run.error,
        "epochs": list(run.epochs.values_list("epoch", "attempt")),
        "seqs": list(run.events.values_list("seq", flat=True)),
        "statuses": [
            [event.payload["status"], event.payload["attempt"], event.at.timestamp()]
            for event in run.events.filter(type="status")
        ],
        "has_model": hasattr(run, "model"),
    }


if __name__ == "__main__":
    django.setup()
    call = {"begin": begin, "look": look}[sys.argv[1]]
    print(json.dumps(call(*sys.argv[2:])))
