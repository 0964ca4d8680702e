"""What RQ calls on a detection worker, which keeps its models warm."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from django.conf import settings

import detection.errors  # noqa: F401  registers the codes
from datasets.errors import from_storage
from datasets.picture_pool import PicturePool
from detection.models import Detection, Evaluation
from detection.yolo import ModelCache, prepare_library
from jobs.reporter import Reporter
from jobs.runner import Commit, run_job
from storage.errors import StorageError


@cache
def models() -> ModelCache:
    """Return this process's loaded models."""
    prepare_library(Path(settings.WORK_DIR) / "detector")
    return ModelCache()


@cache
def picture_pool() -> PicturePool:
    """Return this process's picture decoders: a picture that kills one costs only itself."""
    return PicturePool(processes=1)


@contextmanager
def told_to_people() -> Iterator[None]:
    """Turn what went wrong with stored bytes into an error that the job's row can say."""
    try:
        yield
    except StorageError as error:
        raise from_storage(error) from error


def run_detection(detection_id: str) -> None:
    """Find objects on the pictures of a detection."""
    from detection.detect import detect

    def work(job: Detection, reporter: Reporter) -> Commit:
        with told_to_people():
            return detect(job, reporter, models(), picture_pool())

    run_job(Detection, detection_id, work)


def run_evaluation(evaluation_id: str) -> None:
    """Measure a model on a split of a version."""
    from detection.evaluate import evaluate

    def work(job: Evaluation, reporter: Reporter) -> Commit:
        with told_to_people():
            return evaluate(job, reporter, models())

    run_job(Evaluation, evaluation_id, work)
