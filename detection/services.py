"""What people do with detections and evaluations."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from django.core.files import File
from django.db import transaction

import detection.errors  # noqa: F401  registers the codes
from accounts.models import User
from datasets.errors import from_storage
from datasets.formats.base import is_picture
from datasets.models import DatasetVersion
from detection.models import Detection, DetectionImage, Evaluation, detections_storage
from jobs import queue
from jobs.errors import UserError
from projects.models import Project
from storage.archive_checks import ArchiveLimits
from storage.archives import Archive
from storage.errors import StorageError
from storage.local import put_file
from training.models import TrainedModel

#: Pictures of one request; more belong into several, so that each answers soon.
MOST_PICTURES = 200
DEFAULT_CONF = 0.25
DEFAULT_IOU = 0.7
_MOST_ENTRIES = 5_000
_MOST_ZIP_BYTES = 2 * 1024**3


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
        raise UserError("no_picture_sent")
    if len(pictures) > MOST_PICTURES:
        raise UserError("too_many_pictures", count=len(pictures), limit=MOST_PICTURES)
    detection = Detection(project=project, model=model, conf=conf, iou=iou, created_by=user)
    rows: list[DetectionImage] = []
    try:
        for index, picture in enumerate(pictures):
            rows.append(_store(detection, index, picture))
        with transaction.atomic():
            detection.save()
            DetectionImage.objects.bulk_create(rows)
            queue.submit(detection)
    except StorageError as error:
        _remove_files(rows)
        raise from_storage(error) from error
    except BaseException:
        _remove_files(rows)
        raise
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
        rows = list(detection.images.all())
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
    row.file.name = f"detections/{detection.pk}/{row.id}"
    put_file(detections_storage(), row.file.name, picture.chunks(), durable=False)
    return row


def _remove_files(rows: Iterable[DetectionImage]) -> None:
    for row in rows:
        detections_storage().delete(row.file.name)


def _difference(wanted: Sequence[str], known: Sequence[str]) -> str:
    unlike = sorted(set(wanted) ^ set(known)) or list(wanted)
    return ", ".join(unlike[:10])


def unpack(files: Sequence[Any]) -> list[Any]:
    """Return the pictures that a request brought: its files, or what is in its one ZIP.

    Raises:
        UserError: the ZIP is refused, or holds too much.
    """
    if len(files) != 1 or not _is_zip(files[0]):
        return list(files)
    limits = ArchiveLimits(entries=_MOST_ENTRIES, total_bytes=_MOST_ZIP_BYTES)
    try:
        archive = Archive(files[0], limits)
        members = [member for member in archive.members if is_picture(member.path)]
        if len(members) > MOST_PICTURES:
            raise UserError("too_many_pictures", count=len(members), limit=MOST_PICTURES)
        return [_Member(archive, member) for member in members]
    except StorageError as error:
        raise from_storage(error) from error


def _is_zip(file: Any) -> bool:
    start = file.read(4)
    file.seek(0)
    return bool(start == b"PK\x03\x04")


class _Member(File):  # type: ignore[type-arg]
    """A picture in a ZIP, read only when it is stored."""

    def __init__(self, archive: Archive, member: Any) -> None:
        super().__init__(None, name=member.path)
        self._archive, self._member = archive, member

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield its bytes."""
        return self._archive.chunks(self._member)
