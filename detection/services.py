"""What people do with detections and evaluations."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

import detection.errors  # noqa: F401  registers the codes
from accounts.models import User
from datasets.models import DatasetVersion
from detection.intake import StoredPictures, stored_pictures
from detection.models import Detection, DetectionImage, Evaluation
from jobs import queue
from jobs.errors import UserError
from projects.models import Project
from training.models import TrainedModel

DEFAULT_CONF = 0.25
DEFAULT_IOU = 0.7


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
        pictures: files with `name` and `size`; nothing in them is trusted.
        conf: confidence from which objects are counted, from `counts.CONFIDENCE_FLOOR` to 1.

    Raises:
        UserError: no pictures, too many, or a model of another project.
    """
    with stored_pictures(pictures) as stored:
        return queue_detection(
            project=project, user=user, model=model, pictures=stored, conf=conf, iou=iou
        )


def queue_detection(
    *,
    project: Project,
    user: User,
    model: TrainedModel,
    pictures: StoredPictures,
    conf: float = DEFAULT_CONF,
    iou: float = DEFAULT_IOU,
) -> Detection:
    """Queue a detection on pictures that are stored already; it owns their files from then on.

    Raises:
        UserError: `model_foreign`, a model of another project, or one that is gone.
    """
    detection = Detection(
        pk=pictures.detection_id,
        project=project,
        model=model,
        conf=conf,
        iou=iou,
        created_by=user,
    )
    with transaction.atomic():
        # Storing may have taken a while.
        mine = TrainedModel.objects.filter(pk=model.pk, project=project)
        if not mine.select_for_update(no_key=True).first():
            raise UserError("model_foreign")
        detection.save(force_insert=True)
        DetectionImage.objects.bulk_create(pictures.rows)
        queue.submit(detection)
    pictures.is_taken = True
    return detection


def production_model(project: Project) -> TrainedModel:
    """Return the model that a project has in use.

    Raises:
        UserError: `no_production_model`.
    """
    model: TrainedModel | None = project.models.filter(stage=TrainedModel.Stage.PRODUCTION).first()
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
    with transaction.atomic():
        # Locked first: a worker that ends it now writes before, or finds nothing to write.
        Detection.objects.select_for_update().filter(pk=detection.pk).first()
        detection.delete()


def _difference(wanted: Sequence[str], known: Sequence[str]) -> str:
    unlike = sorted(set(wanted) ^ set(known)) or list(wanted)
    return ", ".join(unlike[:10])
