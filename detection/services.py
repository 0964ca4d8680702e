"""What people do with detections and evaluations."""

import uuid
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

from django.db import transaction

from accounts.models import User
from datasets.models import DatasetVersion
from detection.models import Detection, DetectionImage, Evaluation, detections_storage
from jobs import queue
from jobs.errors import UserError
from projects.models import Project
from training.models import TrainedModel

#: Pictures of one request; more belong into several, so that each answers soon.
MOST_PICTURES = 200
DEFAULT_CONF = 0.25
DEFAULT_IOU = 0.7


class Upload(Protocol):
    """A file as Django hands it over, or a member of a ZIP."""

    name: str | None

    def chunks(self) -> Iterable[bytes]:
        """Yield the bytes in pieces."""
        ...


def start_detection(
    *,
    project: Project,
    user: User,
    model: TrainedModel,
    pictures: Sequence[Any],
    conf: float = DEFAULT_CONF,
    iou: float = DEFAULT_IOU,
) -> Detection:
    """Store the pictures and queue their detection.

    Args:
        pictures: files with `name`; nothing in them is trusted, the worker looks at each.
        conf: confidence from which objects are counted, 0..1.

    Raises:
        UserError: no pictures, too many, or a model of another project.
    """
    if model.project_id != project.pk:
        raise UserError("model_foreign")
    if not pictures:
        raise UserError("no_pictures")
    if len(pictures) > MOST_PICTURES:
        raise UserError("too_many_pictures", count=len(pictures), limit=MOST_PICTURES)
    detection = Detection(project=project, model=model, conf=conf, iou=iou, created_by=user)
    rows = [_store(detection, index, picture) for index, picture in enumerate(pictures)]
    try:
        with transaction.atomic():
            detection.save()
            DetectionImage.objects.bulk_create(rows)
            queue.submit(detection)
    except Exception:
        _remove_files(rows)
        raise
    return detection


def production_model(project: Project) -> TrainedModel:
    """Return the model that a project has in use.

    Raises:
        UserError: `no_production_model`.
    """
    model = project.models.filter(stage=TrainedModel.Stage.PRODUCTION).first()
    if model is None:
        raise UserError("no_production_model")
    return model


def start_evaluation(
    *,
    user: User,
    model: TrainedModel,
    dataset_version: DatasetVersion,
    split: str = "val",
    conf: float = DEFAULT_CONF,
    iou: float = DEFAULT_IOU,
) -> Evaluation:
    """Queue the measurement of a model on a split of a version of the same project.

    Raises:
        UserError: the version is not ready, its split is empty, or its classes are others.
    """
    if dataset_version.dataset.project_id != model.project_id:
        raise UserError("model_foreign")
    if dataset_version.status != DatasetVersion.Status.READY:
        raise UserError("version_not_ready")
    if not dataset_version.images.filter(split=split).exists():
        raise UserError("empty_split")
    names = [item.name for item in dataset_version.classes.all()]
    if names != model.classes:
        raise UserError("classes_differ", classes=_difference(names, model.classes))
    with transaction.atomic():
        evaluation = Evaluation.objects.create(
            project_id=model.project_id,
            model=model,
            dataset_version=dataset_version,
            split=split,
            conf=conf,
            iou=iou,
            created_by=user,
        )
        queue.submit(evaluation)
    return evaluation


def delete_detection(*, detection: Detection) -> None:
    """Remove a detection with its pictures."""
    rows = list(detection.images.all())
    with transaction.atomic():
        detection.delete()
        transaction.on_commit(lambda: _remove_files(rows), robust=True)


def display_name(name: str | None) -> str:
    """Return a file's name as people know it, without folders and control characters."""
    base = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(letter for letter in base if letter.isprintable())[:255] or "picture"


def _store(detection: Detection, index: int, picture: Any) -> DetectionImage:
    row = DetectionImage(
        detection=detection, index=index, file_name=display_name(getattr(picture, "name", None))
    )
    row.id = uuid.uuid4()
    row.file = detections_storage().save(f"detections/{detection.pk}/{row.id}", picture)
    return row


def _remove_files(rows: Iterable[DetectionImage]) -> None:
    for row in rows:
        for suffix in ("", ".annotated"):
            detections_storage().delete(f"{row.file.name}{suffix}")


def _difference(wanted: Sequence[str], known: Sequence[str]) -> str:
    unlike = sorted(set(wanted) ^ set(known)) or list(wanted)
    return ", ".join(unlike[:10])
