"""Detections whose pictures were looked at already, without a worker."""

from typing import Any

from django.core.files.base import ContentFile

from detection.models import Detection, DetectionImage
from jobs import transitions
from jobs.states import Status
from tests.browser.material import SIZE, drawing
from tests.factories import make_detection

#: (class, confidence, box): three cans, of which one is doubtful, and a doubtful bottle.
OBJECTS = [
    [0, 0.91, 20.0, 30.0, 90.0, 100.0],
    [0, 0.62, 60.0, 20.0, 120.0, 80.0],
    [0, 0.31, 5.0, 5.0, 40.0, 40.0],
    [1, 0.12, 100.0, 10.0, 150.0, 110.0],
]


def look_at(image: DetectionImage, objects: list[Any]) -> None:
    """Fill in what a worker would have found."""
    image.file.save(f"detections/{image.pk}.jpg", ContentFile(drawing(image.index)), save=False)
    image.width, image.height = SIZE
    image.objects_found = objects
    image.save()


def finish(detection: Detection) -> None:
    """End a queued detection as its worker would."""
    claimed = transitions.claim(Detection, detection.pk, worker="test")
    assert claimed is not None
    transitions.finish(claimed, Status.SUCCEEDED)


def make_found(
    project: Any, *, pictures: int = 2, broken: bool = False, **fields: Any
) -> Detection:
    """Return a detection that ended: every picture has one more can than the one before."""
    detection = make_detection(project, **fields)
    for index in range(pictures):
        image = DetectionImage(detection=detection, index=index, file_name=f"kệ-{index}.jpg")
        more = [[0, 0.8, 10.0 * n, 50.0, 10.0 * n + 20, 90.0] for n in range(index)]
        look_at(image, [*OBJECTS[:2], *more, *OBJECTS[2:]])
    if broken:
        error = {"code": "picture_unusable", "params": {}}
        DetectionImage.objects.create(
            detection=detection, index=pictures, file_name="hỏng.jpg", file="none", error=error
        )
    finish(detection)
    return detection
