"""Finds objects on the pictures of one detection."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from django.db import transaction

from datasets.picture_pool import PicturePool
from datasets.pictures import PictureRefused, PreparedPicture
from datasets.sources.base import MAX_PICTURE_BYTES
from detection import counts, picture_files
from detection.models import Detection, DetectionImage, detections_storage
from detection.pictures import Pixels, decode
from detection.yolo import LoadedModel, ModelCache, Prediction, WeightsRefused
from jobs.errors import UserError
from jobs.reporter import Reporter
from jobs.runner import Commit
from projects.deletion import remove_files
from storage.errors import StorageError
from storage.local import local_path, put_file
from training.models import TrainedModel

_CHUNK = 8
_STAGES = ("preprocess", "inference", "postprocess")


def detect(
    detection: Detection, reporter: Reporter, models: ModelCache, pool: PicturePool
) -> Commit:
    """Look at each picture; a bad one gets its own error, the others are still answered.

    Raises:
        UserError: `weights_refused`.
        StorageError: the disk is full, or a stored file is missing.
    """
    try:
        return _detect_all(detection, reporter, models, pool)
    finally:
        # Deleted meanwhile: what was written since then belongs to nobody.
        picture_files.remove_if_gone(detection.pk)


def _detect_all(
    detection: Detection, reporter: Reporter, models: ModelCache, pool: PicturePool
) -> Commit:
    began = time.perf_counter()
    model = load_model(detection.model, models)
    rows = list(detection.images.filter(error__isnull=True).order_by("index"))
    timing = dict.fromkeys(_STAGES, 0.0)
    for start in range(0, len(rows), _CHUNK):
        reporter.raise_if_cancelled()
        _detect_chunk(rows[start : start + _CHUNK], model, detection.iou, pool, timing)
        if len(rows) > _CHUNK:
            reporter.progress("detect", min(start + _CHUNK, len(rows)), len(rows))
    timing["queue"] = _waited_ms(detection)
    timing["total"] = timing["queue"] + 1000 * (time.perf_counter() - began)
    return lambda: _write(detection, rows, timing)


def load_model(model: TrainedModel, models: ModelCache) -> LoadedModel:
    """Return a registered model, warm if it was used lately.

    Raises:
        UserError: `weights_refused`, the file is not the registered one or not safe.
        StorageError: it is missing, or there is no room to fetch it.
    """
    with ExitStack() as stack:

        def fetch() -> Path:
            return stack.enter_context(local_path(model.file))

        try:
            return models.get(model.sha256, model.imgsz, fetch)
        except WeightsRefused as error:
            raise UserError("weights_refused") from error


def _detect_chunk(
    rows: list[DetectionImage],
    model: LoadedModel,
    iou: float,
    pool: PicturePool,
    timing: dict[str, float],
) -> None:
    opened = list(_open(rows, pool))
    predictions = model.predict([pixels for _, pixels in opened], iou=iou)
    for (row, _), prediction in zip(opened, predictions, strict=True):
        row.objects_found = prediction.objects
        for stage in _STAGES:
            timing[stage] += _stage_ms(prediction, stage)


def _stage_ms(prediction: Prediction, stage: str) -> float:
    return float(getattr(prediction, f"{stage}_ms"))


def _open(rows: list[DetectionImage], pool: PicturePool) -> Iterator[tuple[DetectionImage, Pixels]]:
    """Yield the upright pixels of the pictures, and store each as it may be shown.

    A picture that cannot be used gets its error and is left out.
    """
    for row, result in pool.prepare(_read(rows)):
        if isinstance(result, PictureRefused):
            row.error = UserError(result.code).as_row()
            continue
        pixels, preview = decode(result.content, _preview_side(result))
        _keep(row, result, preview)
        yield row, pixels


def _read(rows: list[DetectionImage]) -> Iterator[tuple[DetectionImage, bytes]]:
    """Yield the bytes of the pictures; a file that is too large is not read at all."""
    for row in rows:
        try:
            if row.file.size > MAX_PICTURE_BYTES:
                row.error = UserError("picture_too_large").as_row()
                continue
            with row.file.open("rb") as file:
                data: bytes = file.read()
        except FileNotFoundError as error:
            raise StorageError("stored_file_missing") from error
        yield row, data


def _preview_side(prepared: PreparedPicture) -> int | None:
    is_large = picture_files.needs_preview(prepared.width, prepared.height, prepared.suffix)
    return picture_files.PREVIEW_SIDE if is_large else None


def _keep(row: DetectionImage, prepared: PreparedPicture, preview: bytes | None) -> None:
    """Store the safe form and what is shown of it; what came in is removed with the commit."""
    row.width, row.height = prepared.width, prepared.height
    name = picture_files.safe_name(row, prepared.suffix)
    files = {name: prepared.content, picture_files.thumbnail_of(row).name: prepared.thumbnail}
    if preview is not None:
        files[picture_files.preview_of(row).name] = preview
    for file, content in files.items():
        put_file(detections_storage(), file, [content], durable=False)
    row.file.name = name


def _waited_ms(detection: Detection) -> float:
    assert detection.started_at is not None
    return max(0.0, 1000 * (detection.started_at - detection.queued_at).total_seconds())


def _write(detection: Detection, rows: list[DetectionImage], timing: dict[str, float]) -> None:
    storage = detections_storage()
    came_in = [(storage, picture_files.came_in_name(row)) for row in rows if row.error is None]
    transaction.on_commit(lambda: remove_files(came_in), robust=True)
    fields = ["width", "height", "file", "objects_found", "error"]
    if len(rows) == 1:  # somebody waits, and the statement for many takes longer to build
        rows[0].save(update_fields=fields)
    else:
        DetectionImage.objects.bulk_update(rows, fields, batch_size=100)
    rounded = {name: round(value, 1) for name, value in timing.items()}
    found = counts.by_class((row.objects_found for row in rows), detection.conf)
    Detection.objects.filter(pk=detection.pk).update(timing_ms=rounded, class_counts=found)
