"""Makes rows for tests: each function needs nothing, and takes what the test cares about."""

import hashlib
import io
import itertools
import json
from datetime import timedelta
from typing import Any

import PIL.Image
from django.core.files.base import ContentFile
from django.utils import timezone

from accounts.models import ApiToken, Scope, User
from datasets.models import (
    Dataset,
    DatasetClass,
    DatasetImage,
    DatasetVersion,
    Import,
    Picture,
    Upload,
)
from detection.models import Detection, DetectionImage, Evaluation
from jobs.states import TERMINAL, Status
from jobs.worker_rows import Worker
from projects.models import Membership, Project, Role
from training import predictions
from training.models import Artifact, TrainedModel, TrainingRun
from training.options import default_options
from training.predictions import Compared, compare_picture

PASSWORD = "a-long-enough-password"
_numbers = itertools.count(1)


def make_user(username: str | None = None, **fields: Any) -> User:
    """Return a user with `PASSWORD`."""
    name = username or f"user{next(_numbers)}"
    fields.setdefault("email", f"{name}@example.com")
    return User.objects.create_user(name, password=PASSWORD, **fields)


def make_token(user: User, *scopes: str, **fields: Any) -> tuple[ApiToken, str]:
    """Return (row, secret) of a token with these scopes, all of them where none is named."""
    fields.setdefault("name", "test")
    fields.setdefault("expiry", timedelta(days=30))
    return ApiToken.objects.create(user=user, scopes=list(scopes or Scope.values), **fields)


def make_project(owner: User | None = None, **fields: Any) -> Project:
    """Return a project with an owner."""
    owner = owner or make_user()
    fields.setdefault("name", f"Project {next(_numbers)}")
    project = Project.objects.create(created_by=owner, **fields)
    make_member(project, owner, Role.OWNER)
    return project


def make_member(project: Project, user: User | None = None, role: str = Role.EDITOR) -> Membership:
    """Return a user's membership of a project."""
    return Membership.objects.create(project=project, user=user or make_user(), role=role)


def make_dataset(project: Project | None = None, **fields: Any) -> Dataset:
    """Return an empty dataset."""
    fields.setdefault("name", f"Dataset {next(_numbers)}")
    return Dataset.objects.create(project=project or make_project(), **fields)


def make_version(
    dataset: Dataset | None = None, *, classes: tuple[str, ...] = ("can", "bottle"), **fields: Any
) -> DatasetVersion:
    """Return a version that says it is ready, with classes but no pictures."""
    dataset = dataset or make_dataset()
    defaults = {
        "number": dataset.versions.count() + 1,
        "status": DatasetVersion.Status.READY,
        "source": Import.Source.ZIP,
        "split_ratio": 0.2,
        "train_images": 8,
        "val_images": 2,
        "boxes": 20,
    }
    version = DatasetVersion.objects.create(dataset=dataset, **{**defaults, **fields})
    DatasetClass.objects.bulk_create(
        DatasetClass(version=version, index=index, name=name, boxes=10, images=5)
        for index, name in enumerate(classes)
    )
    return version


def make_picture(size: tuple[int, int] = (64, 48), color: str = "gray") -> bytes:
    """Return the bytes of a JPEG of one color."""
    buffer = io.BytesIO()
    PIL.Image.new("RGB", size, color).save(buffer, "JPEG")
    return buffer.getvalue()


def make_image(version: DatasetVersion | None = None, **fields: Any) -> DatasetImage:
    """Return an image of a version with its stored picture and one box."""
    version = version or make_version()
    content = fields.pop("content", None) or make_picture()
    number = next(_numbers)
    picture = Picture(
        project=version.dataset.project,
        sha256=hashlib.sha256(content + str(number).encode()).hexdigest(),
        width=64,
        height=48,
        size=len(content),
    )
    picture.file.save(f"{picture.pk}.jpg", ContentFile(content), save=False)
    picture.thumbnail.save(f"{picture.pk}-thumbnail.jpg", ContentFile(content), save=False)
    picture.save()
    defaults = {
        "position": number,
        "file_name": f"shelf-{number}.jpg",
        "split": DatasetImage.Split.TRAIN,
        "boxes": [[0, 1.0, 2.0, 30.0, 40.0]],
    }
    return DatasetImage.objects.create(version=version, picture=picture, **{**defaults, **fields})


def make_import(project: Project | None = None, **fields: Any) -> Import:
    """Return a queued import of a ZIP into a new version."""
    if "version" not in fields:
        dataset = make_dataset(project)
        fields["version"] = make_version(dataset, status=DatasetVersion.Status.IMPORTING)
    fields.setdefault("project", fields["version"].dataset.project)
    fields.setdefault("source", Import.Source.ZIP)
    return Import.objects.create(**_ended(fields))


def make_upload(project: Project, user: User, **fields: Any) -> Upload:
    """Return an upload of which nothing has come."""
    fields.setdefault("file_name", "a.zip")
    fields.setdefault("length", 4)
    fields.setdefault("expires_at", timezone.now() + timedelta(hours=24))
    return Upload.objects.create(project=project, user=user, **fields)


def make_run(project: Project | None = None, **fields: Any) -> TrainingRun:
    """Return a queued training run of one epoch."""
    if "dataset_version" not in fields:
        fields["dataset_version"] = make_version(make_dataset(project))
    fields.setdefault("project", fields["dataset_version"].dataset.project)
    fields.setdefault("name", f"Run {next(_numbers)}")
    fields.setdefault("base_model", "yolo11n-scratch")
    options = {**default_options(), "epochs": 1, "batch": 4, "imgsz": 64}
    fields["options"] = {**options, **fields.get("options", {})}
    return TrainingRun.objects.create(**_ended(fields))


def make_worker(**fields: Any) -> Worker:
    """Return an idle training worker on a CPU of which something was heard just now."""
    now = timezone.now()
    number = next(_numbers)
    defaults = {
        "name": f"gpu-host.{number}.abcdef",
        "host": "gpu-host",
        "queue": "training",
        "gpu_class": "cpu",
        "torch": "2.10.0",
        "state": "idle",
        "since": now,
        "started_at": now,
        "last_seen": now,
    }
    return Worker.objects.create(**{**defaults, **fields})


def make_artifact(run: TrainingRun | None = None, **fields: Any) -> Artifact:
    """Return a stored table that a run left behind, or other `content`."""
    content = fields.pop("content", b"epoch,map50\n1,0.5\n")
    defaults = {"name": "results.csv", "kind": "table", "size": len(content)}
    artifact = Artifact(run=run or make_run(), **{**defaults, **fields})
    artifact.file.save(f"{artifact.pk}.csv", ContentFile(content), save=False)
    artifact.save()
    return artifact


def make_predictions(run: TrainingRun, found: dict[int, list[list[float]]]) -> Artifact:
    """Return the stored predictions of a run, and put the counts where its end puts them.

    Args:
        found: what was found on each picture of its version, by position; pixels, surest first.
    """
    version = run.dataset_version
    compared = Compared([row.name for row in version.classes.all()], 0.25)
    for image in version.images.filter(position__in=found).select_related("picture"):
        side = (image.picture.width, image.picture.height) * 2
        boxes = [
            [kind, conf, *(value / whole for value, whole in zip(box, side, strict=True))]
            for kind, conf, *box in found[image.position]
        ]
        compared.add(compare_picture(image, boxes, compared.confidence))
    counted = ("images", "images_right", "confidence")
    best = run.best or {"epoch": 1, "map50": 0.9, "map50_95": 0.6, "precision": 0.9, "recall": 0.8}
    run.best = {**best, **{name: compared.counts()[name] for name in counted}}
    run.save(update_fields=["best"])
    content = json.dumps(compared.document()).encode()
    return make_artifact(
        run, name=predictions.NAME, kind=predictions.KIND, size=len(content), content=content
    )


def make_model(project: Project | None = None, **fields: Any) -> TrainedModel:
    """Return a model whose weights are a few bytes that no library would load."""
    project = project or make_project()
    weights = fields.pop("weights", b"no real weights")
    defaults = {
        "name": f"Model {next(_numbers)}",
        "version": project.models.count() + 1,
        "architecture": "yolo11n",
        "classes": ["can", "bottle"],
        "imgsz": 64,
        "metrics": {"map50": 0.9, "map50_95": 0.6, "precision": 0.9, "recall": 0.8},
        "size": len(weights),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    model = TrainedModel(project=project, **{**defaults, **fields})
    if not model.file:
        model.file.save(f"models/{model.pk}.pt", ContentFile(weights), save=False)
    model.save()
    return model


def make_detection(project: Project | None = None, **fields: Any) -> Detection:
    """Return a queued detection without pictures."""
    fields.setdefault("model", None)
    fields["model"] = fields["model"] or make_model(project)
    fields.setdefault("project", fields["model"].project)
    return Detection.objects.create(**_ended(fields))


def make_detection_image(detection: Detection | None = None, **fields: Any) -> DetectionImage:
    """Return a stored picture of a detection on which one object was found."""
    detection = detection or make_detection()
    defaults = {
        "index": detection.images.count(),
        "file_name": "shelf.jpg",
        "width": 64,
        "height": 48,
        "objects_found": [[0, 0.9, 1.0, 2.0, 30.0, 40.0]],
    }
    image = DetectionImage(detection=detection, **{**defaults, **fields})
    image.file.save(f"{image.pk}.jpg", ContentFile(make_picture()), save=False)
    image.save()
    return image


def make_evaluation(project: Project | None = None, **fields: Any) -> Evaluation:
    """Return a queued evaluation."""
    if "model" not in fields:
        fields["model"] = make_model(project)
    fields.setdefault("project", fields["model"].project)
    if "dataset_version" not in fields:
        fields["dataset_version"] = make_version(make_dataset(fields["project"]))
    return Evaluation.objects.create(**_ended(fields))


def _ended(fields: dict[str, Any]) -> dict[str, Any]:
    """Give a job that has ended its end, which the database asks for."""
    if fields.get("status", Status.QUEUED) in TERMINAL:
        fields.setdefault("finished_at", timezone.now())
    return fields
