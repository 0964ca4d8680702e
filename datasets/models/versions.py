"""Datasets, and versions of them that never change once they are ready."""

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from datasets.models.pictures import Picture
from projects.access import ScopedQuerySet
from projects.models import Project


class Dataset(models.Model):
    """A named collection of pictures that grows by versions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(_("name"), max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="datasets_dataset_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class VersionQuerySet(ScopedQuerySet):
    """Versions, reached through their dataset."""

    project_path = "dataset__project"

    def ready(self) -> Self:
        """Versions that can be trained on."""
        return self.filter(status=DatasetVersion.Status.READY)

    def whole(self) -> Self:
        """Versions that hold all of their pictures, whether or not somebody is to confirm them."""
        return self.filter(status__in=DatasetVersion.WHOLE)


class DatasetVersion(models.Model):
    """Pictures with their boxes and split, frozen once ready: a run can always be repeated."""

    class Status(TextChoices):
        """Whether it can be used."""

        IMPORTING = "importing", _("Importing")
        REVIEW = "review", _("To be checked")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    WHOLE: ClassVar = (Status.READY, Status.REVIEW)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.IMPORTING)
    source = models.CharField(max_length=20)
    parent = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        related_name="children",
        help_text="the version that it was made from, or that it adds to",
    )
    split_ratio = models.FloatField()
    test_ratio = models.FloatField(default=0)
    split_seed = models.PositiveIntegerField(default=0)
    fingerprint = models.CharField(max_length=64, blank=True)
    train_images = models.PositiveIntegerField(default=0)
    val_images = models.PositiveIntegerField(default=0)
    test_images = models.PositiveIntegerField(default=0)
    boxes = models.PositiveIntegerField(default=0)
    layout = models.JSONField(default=dict, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    baselines = models.JSONField(
        default=list,
        blank=True,
        help_text="what Custom Vision's models reach by its own measure, on training pictures",
    )
    health = models.JSONField(
        default=dict, blank=True, help_text="what its pictures and boxes are like (health.py)"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "number"], name="datasets_version_number")
        ]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"

    @property
    def images_total(self) -> int:
        """Pictures in all splits."""
        return self.train_images + self.val_images + self.test_images

    def images_in(self, split: str) -> int:
        """Return how many pictures a split has; all of them for none."""
        counts = {"train": self.train_images, "val": self.val_images, "test": self.test_images}
        return counts[split] if split else self.images_total

    def clear(self) -> None:
        """Remove the classes and images of a version that is not ready."""
        ImageClass.objects.filter(image__version=self).delete()
        ImageProblem.objects.filter(version=self).delete()
        # Only the keys: the rows of a large version would not fit into memory with their boxes.
        DatasetImage.objects.filter(version=self).only("pk").delete()
        DatasetClass.objects.filter(version=self).delete()


class DatasetClass(models.Model):
    """A class of a version; its index is what the labels and the model say."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="classes")
    index = models.PositiveIntegerField()
    name = models.CharField(max_length=100)
    boxes = models.PositiveIntegerField(default=0)
    images = models.PositiveIntegerField(default=0)
    examples = models.JSONField(
        default=list, blank=True, help_text="some of its boxes: [[image, x1, y1, x2, y2], …]"
    )
    by_split = models.JSONField(
        default=dict, blank=True, help_text="where it is: {split: [images, boxes]}"
    )

    class Meta:
        ordering: ClassVar = ["index"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "index"], name="datasets_class_index"),
            models.UniqueConstraint(fields=["version", "name"], name="datasets_class_name"),
        ]

    def __str__(self) -> str:
        return self.name


class ImageQuerySet(ScopedQuerySet):
    """Images of versions, reached through version and dataset."""

    project_path = "version__dataset__project"

    def in_chunks(self, size: int = 500) -> Iterator[list[Any]]:
        """Yield the images of one version in their order, in lists.

        No cursor stays open meanwhile: on SQLite it would hold up writes, and fail our own.
        """
        last = -1
        while rows := list(self.filter(position__gt=last).order_by("position")[:size]):
            yield rows
            last = rows[-1].position

    def whole(self) -> Self:
        """Images of versions that are whole: what is half imported is shown to nobody."""
        return self.filter(version__status__in=DatasetVersion.WHOLE)


class DatasetImage(models.Model):
    """A picture's place in a version: its split and boxes, which never change afterwards."""

    class Split(models.TextChoices):
        """What the picture is used for."""

        TRAIN = "train", _("Training")
        VAL = "val", _("Validation")
        TEST = "test", _("Test")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="images")
    picture = models.ForeignKey(Picture, on_delete=models.RESTRICT, related_name="uses")
    position = models.PositiveIntegerField()
    file_name = models.CharField(max_length=255)
    split = models.CharField(max_length=5, choices=Split.choices)
    group = models.PositiveIntegerField(
        null=True, help_text="number that near-duplicates in the version share; none: it is alone"
    )
    #: [[class_index, x1, y1, x2, y2], …] in pixels of the upright picture. A list in the row, for
    #: it is always read whole and never changed.
    boxes = models.JSONField(default=list)

    objects = ImageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["position"]
        indexes: ClassVar = [
            models.Index(fields=["version", "split", "position"], name="datasets_image_split"),
            # All that the gallery filters by, without the boxes: what is not shown is not read.
            models.Index(
                fields=["version", "position", "split", "file_name"], name="datasets_image_filter"
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "position"], name="datasets_image_place"),
            models.UniqueConstraint(fields=["version", "picture"], name="datasets_image_once"),
        ]

    def __str__(self) -> str:
        return self.file_name


class ImageClass(models.Model):
    """That an image holds a class: what the gallery's filter by class looks in."""

    image = models.ForeignKey(DatasetImage, on_delete=models.CASCADE, related_name="classes")
    dataset_class = models.ForeignKey(
        DatasetClass, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    position = models.PositiveIntegerField(help_text="of the image, which never moves")
    boxes = models.PositiveIntegerField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["dataset_class", "position"], name="datasets_imageclass_place"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dataset_class", "image"], name="datasets_imageclass_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.image_id} {self.dataset_class_id}"


class ImageProblem(models.Model):
    """That something is odd about an image or its labels (image_problems.py names the codes)."""

    version = models.ForeignKey(
        DatasetVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    image = models.ForeignKey(DatasetImage, on_delete=models.CASCADE, related_name="problems")
    position = models.PositiveIntegerField(help_text="of the image, which never moves")
    code = models.CharField(max_length=40)
    boxes = models.JSONField(
        default=list,
        blank=True,
        help_text="corners of those that it is of, where looking at them does not tell it",
    )

    class Meta:
        indexes: ClassVar = [
            # What the gallery's filter looks in, and how many there are of each.
            models.Index(
                fields=["version", "code", "position"], name="datasets_imageproblem_place"
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version", "code", "image"], name="datasets_imageproblem_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.image_id} {self.code}"
