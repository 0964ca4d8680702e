"""What this installation knows from its own trainings: memory and time by card, model and size."""

from typing import ClassVar

from django.db import models


class Experience(models.Model):
    """All trainings of one network on one kind of card with one batch and image size."""

    device = models.CharField(max_length=100, help_text="name of the card, or CPU")
    gpu_class = models.CharField(max_length=30)
    architecture = models.CharField(max_length=20, help_text="yolo11n and the like")
    imgsz = models.PositiveIntegerField()
    batch = models.PositiveIntegerField()
    precision = models.CharField(max_length=8)
    multi_scale = models.FloatField(default=0.0, help_text="share by which the image size varied")
    memory_mb = models.PositiveIntegerField(null=True, help_text="the most that was used")
    #: Of an epoch with its validation, for each picture of the training set.
    seconds_per_image = models.FloatField(null=True)
    was_too_large = models.BooleanField(default=False, help_text="the card ran out of memory")
    runs = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["-updated_at"]
        verbose_name_plural = "experience"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    *("device", "architecture", "imgsz", "batch", "precision"),
                    "multi_scale",
                ],
                name="training_experience_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["gpu_class", "architecture"], name="training_experience_of")
        ]

    def __str__(self) -> str:
        return f"{self.architecture} {self.imgsz} × {self.batch} on {self.device}"
