"""Detections and evaluations: what a model finds on pictures, and how right it is."""

import uuid
from typing import Any, ClassVar

from django.core.files.storage import storages
from django.db import models

from datasets.models import DatasetImage, DatasetVersion
from jobs.models import Job, JobEvent, JobQuerySet
from projects.access import ScopedQuerySet
from projects.models import Project
from training.models import TrainedModel


def detections_storage() -> Any:
    """Return the storage of pictures that were sent for detection."""
    return storages["artifacts"]


class DetectionQuerySet(JobQuerySet, ScopedQuerySet):  # type: ignore[override]
    """Detections of a project."""


class Detection(Job):
    """One request: pictures, a model and thresholds."""

    queue = "detection"
    task = "detection.tasks.run_detection"
    slug = "detections"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="detections")
    model = models.ForeignKey(TrainedModel, on_delete=models.CASCADE, related_name="detections")
    conf = models.FloatField(default=0.25)
    iou = models.FloatField(default=0.7)
    timing_ms = models.JSONField(default=dict, blank=True)
    #: {class: how many} at `conf`, of all pictures: lists tell it without loading what was found.
    class_counts = models.JSONField(default=dict, blank=True)

    objects = DetectionQuerySet.as_manager()  # type: ignore[misc]

    class Meta(Job.Meta):
        indexes: ClassVar = [
            *Job.Meta.indexes,
            # What a person has running, and what ended lately, among all that programs detect.
            models.Index(fields=["created_by", "finished_at"], name="detection_of_a_person"),
        ]


class DetectionEvent(JobEvent):
    """The story of a detection."""

    job = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="events")

    class Meta(JobEvent.Meta):
        pass


class DetectionImageQuerySet(ScopedQuerySet):
    """Pictures of detections, reached through the detection."""

    project_path = "detection__project"


class DetectionImage(models.Model):
    """One picture of a detection with all that was found on it down to the floor (`counts.py`)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    detection = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="images")
    index = models.PositiveIntegerField()
    file_name = models.CharField(max_length=255)
    #: As it came until it has been looked at; from then on upright, without metadata.
    file = models.FileField(storage=detections_storage, max_length=200)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    #: [[class_id, confidence, x1, y1, x2, y2], …] in pixels of the upright picture, best first.
    objects_found = models.JSONField(default=list)
    error = models.JSONField(null=True, blank=True)

    objects = DetectionImageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["index"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["detection", "index"], name="detection_image_index")
        ]

    def __str__(self) -> str:
        return self.file_name


class Evaluation(Job):
    """A model measured on a split of a version."""

    queue = "detection"
    task = "detection.tasks.run_evaluation"
    slug = "evaluations"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="evaluations")
    model = models.ForeignKey(TrainedModel, on_delete=models.CASCADE, related_name="evaluations")
    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.CASCADE, related_name="evaluations"
    )
    split = models.CharField(max_length=5, choices=DatasetImage.Split.choices, default="val")
    conf = models.FloatField(default=0.25)
    iou = models.FloatField(default=0.7)
    result = models.JSONField(default=dict, blank=True)

    objects = DetectionQuerySet.as_manager()  # type: ignore[misc]

    class Meta(Job.Meta):
        pass


class EvaluationEvent(JobEvent):
    """The story of an evaluation."""

    job = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="events")

    class Meta(JobEvent.Meta):
        pass
