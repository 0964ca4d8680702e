"""The whole way of an import: the API, Valkey, a real worker that is killed, and the API again."""

import os
import random
import signal
import time
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from accounts.models import User
from datasets.models import DatasetImage, Import, Picture
from jobs.states import Status
from projects.models import Project
from storage.leftovers import sweep_halves
from tests.datasets.importing import fresh, stored_files
from tests.datasets.samples import encoded
from tests.personas import ClientFactory
from tests.services.programs import Program, Programs, children
from tests.storage.zips import zip_of

#: More than twice as many as can be kept between the kills: pictures are kept in groups of 32.
PICTURES = 320
KILLS = 5


def noisy_zip() -> bytes:
    """Return pictures that take a while to read, each with a box."""
    rng = np.random.default_rng(7)
    files: dict[str, Any] = {"bộ/data.yaml": "names: {0: lon, 1: chai}\n"}
    for number in range(PICTURES):
        pixels = rng.integers(0, 255, (240, 320, 3), dtype=np.uint8)
        files[f"bộ/images/{number}.png"] = encoded(Image.fromarray(pixels), "PNG")
        files[f"bộ/labels/{number}.txt"] = f"{number % 2} 0.5 0.5 0.25 0.25\n"
    return zip_of(files, method=0)


def upload(client: APIClient, project: Project, content: bytes, **fields: Any) -> dict[str, Any]:
    """Send a ZIP to the API and return the import."""
    body = {"project": str(project.pk), "file": SimpleUploadedFile("Kệ.zip", content), **fields}
    answer = client.post("/api/v1/imports/", body, format="multipart")
    assert answer.status_code == 202, answer.content
    found: dict[str, Any] = answer.json()
    return found


def kill_the_work(worker: Program) -> None:
    """Kill the process that does the import, without notice."""
    for child in children(worker.pid)[:1]:
        os.kill(child, signal.SIGKILL)


@pytest.mark.slow
def test_an_import_over_the_api_survives_kills_of_its_worker(
    programs: Programs, api: ClientFactory, project: Project, editor: User
) -> None:
    before, rng = stored_files(), random.Random(3)
    programs.reconciler()
    worker = programs.worker("imports")
    client = api(editor, "import", "read")
    body = upload(client, project, noisy_zip(), dataset_name="Kệ bia")
    job = Import.objects.get(pk=body["id"])

    seen, kills, deadline = 0, 0, time.monotonic() + 150
    while True:
        # Looked at first: what is shown belongs to an import that has succeeded by then.
        is_shown = DatasetImage.objects.whole().filter(version=job.version).exists()
        if (now := fresh(job)).status == Status.SUCCEEDED:
            break
        assert now.status in {Status.QUEUED, Status.RUNNING}, now.error
        assert not is_shown
        assert time.monotonic() < deadline
        # After each kill some new pictures are let through: three losses in a row would end it.
        if kills < KILLS and (stored := Picture.objects.filter(project=project).count()) > seen:
            time.sleep(rng.uniform(0, 0.3))
            kill_the_work(worker)
            seen, kills = stored, kills + 1
        time.sleep(0.05)

    assert kills == KILLS
    assert now.attempt > 1
    shown = client.get(f"/api/v1/imports/{job.pk}/").json()
    assert (shown["status"], shown["error"]) == ("succeeded", None)
    assert shown["progress"]["percent"] == 100
    version = client.get(f"/api/v1/dataset-versions/{shown['dataset_version']}/").json()
    assert version["status"] == "ready"
    assert version["images"] == {"total": PICTURES, "train": 256, "val": 64, "test": 0}
    assert [row["name"] for row in version["classes"]] == ["lon", "chai"]
    lines = client.get(f"/api/v1/imports/{job.pk}/logs/").json()["lines"]
    assert [line["seq"] for line in lines] == sorted({line["seq"] for line in lines})
    assert any(str(PICTURES) in line["text"] for line in lines)
    assert Picture.objects.filter(project=project).count() == PICTURES
    sweep_halves(older_than=timedelta(0))
    assert len(stored_files() - before) == 2 * PICTURES
