"""What a real training leaves: counts, predictions against truth, and all that repeats it."""

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from accounts.models import User
from datasets.models import DatasetVersion
from datasets.tasks import run_import
from jobs.states import Status
from projects.models import Project
from tests.datasets.importing import queue_file
from tests.detection.conftest import weights  # noqa: F401
from tests.factories import make_model
from tests.personas import ClientFactory
from training import services
from training.models import TrainedModel, TrainingRun
from training.tasks import run_training
from training.trainer_arguments import library_value, select_options

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SIDE = 64
_WHOLE, _SMALL = "0.5 0.5 0.98 0.98", "0.2 0.2 0.2 0.2"
#: The model finds a can as large as the picture, everywhere; what is there is another matter.
_LABELS = {
    "right": [f"0 {_WHOLE}"],
    "bottle-missed": [f"0 {_WHOLE}", f"1 {_SMALL}"],
    "nothing-there": [],
    "other-class": [f"1 {_WHOLE}"],
}
#: Steps so small that the weights stay what they are.
_STILL = {"epochs": 2, "patience": 0, "imgsz": SIDE, "batch": 4, "optimizer": "SGD", "lr0": 1e-6}
_OPTIONS = {**_STILL, "seed": 7, "advanced": {"warmup_epochs": 0.0, "mosaic": 0.0}}


def cans_zip() -> bytes:
    """Return a ZIP in the YOLO layout, with its own split."""
    content, chance = io.BytesIO(), random.Random(3)
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(
            "data.yaml", "names: [can, bottle]\ntrain: images/train\nval: images/val\n"
        )
        train = {f"train-{n}": [f"{n % 2} {_WHOLE}"] for n in range(8)}
        for split, labels in (("train", train), ("val", _LABELS)):
            for name, lines in labels.items():
                picture = io.BytesIO()
                noise = Image.frombytes("RGB", (SIDE, SIDE), chance.randbytes(3 * SIDE * SIDE))
                noise.save(picture, "JPEG", quality=90)
                archive.writestr(f"images/{split}/{name}.jpg", picture.getvalue())
                archive.writestr(f"labels/{split}/{name}.txt", "\n".join(lines))
    return content.getvalue()


@pytest.fixture
def version(project: Project, owner: User, monkeypatch: pytest.MonkeyPatch) -> DatasetVersion:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("jobs.queue.submit", lambda job, **_: None)
    file = SimpleUploadedFile("cans.zip", cans_zip())
    job = queue_file(project, owner, file, dataset_name="cans", split_ratio=0.3)
    run_import(str(job.pk))
    job.refresh_from_db()
    assert job.status == Status.SUCCEEDED, job.error
    return DatasetVersion.objects.get(pk=job.version_id)


@pytest.fixture
def run(
    project: Project,
    owner: User,
    version: DatasetVersion,
    weights: bytes,  # noqa: F811
) -> TrainingRun:
    """A training that went on from a model which finds one can on each picture."""
    start_model = make_model(project, weights=weights, architecture="yolo11n")
    run = services.start_run(
        project=project,
        user=owner,
        dataset_version=version,
        base_model="",
        start_model=start_model,
        options=_OPTIONS,
        name="Lon",
    )
    return trained(run)


def trained(run: TrainingRun) -> TrainingRun:
    run_training(str(run.pk))
    run = TrainingRun.objects.get(pk=run.pk)
    assert run.status == Status.SUCCEEDED, run.error
    return run


def artifact(run: TrainingRun, name: str) -> str:
    with run.artifacts.get(name=name).file.open("rb") as file:
        return str(file.read().decode())


def figures(run: TrainingRun) -> list[Any]:
    rows = run.epochs.values_list("epoch", "train", "val", "lr")
    return [*rows, run.best, TrainedModel.objects.get(training_run=run).metrics]


def test_a_training_shows_what_it_brought_and_the_very_same_comes_again(
    run: TrainingRun, editor: User, api: ClientFactory
) -> None:
    assert run.best is not None
    assert (run.best["images"], run.best["images_right"]) == (4, 1)
    assert_predictions_stand_beside_the_truth(run, api(editor))
    assert_the_page_shows_them(run, editor)
    assert_all_is_noted(run)

    client = Client()
    client.force_login(editor)
    client.post(f"/training-runs/{run.pk}/repeat/")
    again = trained(TrainingRun.objects.exclude(pk=run.pk).get())

    assert again.name == "Lon (2)"
    assert (again.options, again.start_model) == (run.options, run.start_model)
    # The library promises the same numbers for the same seed, versions and device.
    assert figures(again) == figures(run)


def assert_predictions_stand_beside_the_truth(run: TrainingRun, client: Any) -> None:
    answer = client.get(f"/api/v1/training-runs/{run.pk}/predictions/").json()
    counts = {row["class_name"]: (row["true"], row["predicted"]) for row in answer["per_class"]}
    assert counts == {"can": (2, 4), "bottle": (2, 0)}
    found = {row["file_name"].rpartition("/")[2]: row for row in answer["results"]}
    mistakes = {name: (row["missed"], row["false"]) for name, row in found.items()}
    assert mistakes == {
        "other-class.jpg": (1, 1),
        "bottle-missed.jpg": (1, 0),
        "nothing-there.jpg": (0, 1),
        "right.jpg": (0, 0),
    }
    assert next(iter(found)) == "other-class.jpg", "the worst comes first"
    (can,) = found["right.jpg"]["objects"]
    assert (can["class_name"], can["match"]) == ("can", 0)
    assert can["confidence"] > 0.8
    assert can["box"]["x1"] < 4 and can["box"]["x2"] > SIDE - 4
    assert found["other-class.jpg"]["objects"][0]["match"] is None
    assert client.get(found["right.jpg"]["thumbnail_url"]).status_code == 200


def assert_the_page_shows_them(run: TrainingRun, user: User) -> None:
    client = Client()
    client.force_login(user)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    page = client.get(f"/training-runs/{run.pk}/").content.decode()
    assert "Counts right in 1 of 4 pictures" in page
    assert run.dataset_version.fingerprint in page
    files = client.get(f"/training-runs/{run.pk}/results/").content.decode()
    assert f"/training-runs/{run.pk}/predictions/" in files
    assert "bottle was taken for can once" in files


def assert_all_is_noted(run: TrainingRun) -> None:
    noted = json.loads(artifact(run, "environment.json"))
    start = run.start_model
    assert start is not None
    assert noted["base"]["weights_sha256"] == start.sha256
    assert noted["data"]["fingerprint"] == run.dataset_version.fingerprint != ""
    assert {"python", "torch", "ultralytics", "numpy", "opencv"} <= set(noted["versions"])
    assert noted["machine"]["cpus"] > 0 and noted["portal"]["version"] != "?"
    assert (noted["options"], noted["run"]["seed"]) == (run.options, 7)
    assert noted["used"]["optimizer"] == "SGD"
    assert [one["number"] for one in noted["attempts"]] == [1]
    arguments = yaml.safe_load(artifact(run, "args.yaml"))
    asked = {name: library_value(name, v) for name, v in select_options(run.options).items()}
    assert asked == {name: arguments[name] for name in asked}
    assert {"deterministic", "workers", "nbs", "amp"} <= set(arguments)
    assert arguments["model"] == f"{start.name} v{start.version}.pt"
    header = artifact(run, "results.csv").splitlines()[0].split(",")
    assert {"epoch", "val/map50", "lr", "seconds", "attempt"} <= set(header)
    assert str(Path.home()) not in artifact(run, "environment.json")
