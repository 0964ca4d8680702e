"""Finds objects on the pictures of one detection."""

import time
from pathlib import Path
from typing import Any

from detection.models import Detection
from detection.yolo import LoadedModel, ModelCache, WeightsRefused
from jobs.errors import UserError
from jobs.reporter import Reporter
from jobs.runner import Commit
from storage.local import local_path
from training.models import TrainedModel

_CHUNK = 8


def detect(detection: Detection, reporter: Reporter, models: ModelCache) -> Commit:
    """Look at each picture; a bad one gets its own error, the others are still answered.

    Raises:
        UserError: `weights_refused`.
    """
    began = time.perf_counter()
    model = load_model(detection.model, models)
    rows = list(detection.images.order_by("index"))
    stages = {"preprocess": 0.0, "inference": 0.0, "postprocess": 0.0}
    for start in range(0, len(rows), _CHUNK):
        reporter.raise_if_cancelled()
        _detect_chunk(rows[start : start + _CHUNK], model, detection.iou, stages)
        if len(rows) > _CHUNK:
            reporter.progress("detect", min(start + _CHUNK, len(rows)), len(rows))
    stages["total"] = 1000 * (time.perf_counter() - began)
    return lambda: _write(detection, rows, stages)


def load_model(model: TrainedModel, models: ModelCache) -> LoadedModel:
    """Return a registered model, warm if it was used lately.

    Raises:
        UserError: `weights_refused`, the file is not the registered one or not safe.
    """
    path: list[Any] = []

    def fetch() -> Path:
        path.append(local_path(model.file))
        return Path(path[0].__enter__())

    try:
        return models.get(model.sha256, model.imgsz, fetch)
    except WeightsRefused as error:
        raise UserError("weights_refused") from error
    finally:
        if path:
            path[0].__exit__(None, None, None)
