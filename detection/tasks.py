"""What RQ calls on a detection worker, which keeps its models warm."""

from functools import cache
from pathlib import Path

from django.conf import settings

from datasets.picture_pool import PicturePool
from detection.models import Detection, Evaluation
from detection.yolo import ModelCache, prepare_library
from jobs.runner import run_job


@cache
def models() -> ModelCache:
    """Return this process's loaded models."""
    prepare_library(Path(settings.WORK_DIR) / "detector")
    return ModelCache()


@cache
def picture_pool() -> PicturePool:
    """Return this process's picture decoders: a picture that kills one costs only itself."""
    return PicturePool(processes=1)


def run_detection(detection_id: str) -> None:
    """Find objects on the pictures of a detection."""
    from detection.detect import detect

    run_job(
        Detection,
        detection_id,
        lambda job, reporter: detect(job, reporter, models(), picture_pool()),
    )


def run_evaluation(evaluation_id: str) -> None:
    """Measure a model on a split of a version."""
    from detection.evaluate import evaluate

    run_job(Evaluation, evaluation_id, lambda job, reporter: evaluate(job, reporter, models()))
