"""Datasets, their immutable versions, the pictures in them, and the imports that made them."""

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from django.core.files.storage import storages
from django.db import models, transaction
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from jobs.errors import UserError
from jobs.models import Job, JobEvent, JobQuerySet
from jobs.states import TERMINAL, Status
from projects.access import ScopedQuerySet
from projects.models import Project

#: From this HTTP status on an error is our fault, not the caller's.
_OURS = 500


def uploads_storage() -> Any:
    """Return the storage of what users send, until it is imported."""
    return storages["uploads"]


def images_storage() -> Any:
    """Return the storage of pictures and thumbnails, named by content."""
    return storages["images"]


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


class DatasetVersion(models.Model):
    """Pictures with their boxes and split, frozen once ready: a run can always be repeated."""

    class Status(TextChoices):
        """Whether it can be used."""

        IMPORTING = "importing", _("Importing")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.IMPORTING)
    source = models.CharField(max_length=20)
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

    def clear(self) -> None:
        """Remove the classes and images of a version that is not ready."""
        ImageClass.objects.filter(image__version=self).delete()
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

    class Meta:
        ordering: ClassVar = ["index"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "index"], name="datasets_class_index"),
            models.UniqueConstraint(fields=["version", "name"], name="datasets_class_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Picture(models.Model):
    """The bytes of a picture, once a project: verified, upright, without metadata."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pictures")
    sha256 = models.CharField(max_length=64, help_text="of the bytes as they came")
    file = models.FileField(storage=images_storage, max_length=200)
    thumbnail = models.FileField(storage=images_storage, max_length=200)
    width = models.PositiveIntegerField(help_text="upright")
    height = models.PositiveIntegerField(help_text="upright")
    orientation = models.PositiveSmallIntegerField(
        default=1, help_text="EXIF value, 1 to 8, by which it was turned upright"
    )
    size = models.PositiveBigIntegerField()
    perceptual_hash = models.BigIntegerField(
        null=True, help_text="what it looks like; none without contrast, and in rows from before"
    )
    notes = models.JSONField(
        default=list, blank=True, help_text="codes of what was changed, as `picture_turned`"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "sha256"], name="datasets_picture_once")
        ]

    def __str__(self) -> str:
        return self.sha256[:12]


class RemotePicture(models.Model):
    """That a picture of a Custom Vision project is here: it is not fetched a second time."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    origin = models.CharField(max_length=36, help_text="id of the project in Custom Vision")
    remote_id = models.CharField(max_length=64)
    picture = models.ForeignKey(Picture, on_delete=models.CASCADE, related_name="remotes")
    keep_until = models.DateTimeField(
        null=True, help_text="until then it stays though no version uses it: its import was cut off"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "origin", "remote_id"], name="datasets_remote_once"
            )
        ]

    def __str__(self) -> str:
        return self.remote_id


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

    def ready(self) -> Self:
        """Images of versions that are ready: what is half imported is shown to nobody."""
        return self.filter(version__status=DatasetVersion.Status.READY)


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
    dataset_class = models.ForeignKey(DatasetClass, on_delete=models.CASCADE, related_name="+")
    boxes = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dataset_class", "image"], name="datasets_imageclass_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.image_id} {self.dataset_class_id}"


class ImportQuerySet(JobQuerySet, ScopedQuerySet):  # type: ignore[override]
    """Imports of a project."""


class Import(Job):
    """Brings pictures and labels from outside into a new version of a dataset."""

    class Source(models.TextChoices):
        """Where the data comes from."""

        ZIP = "zip", "ZIP"
        CUSTOM_VISION = "custom_vision", "Custom Vision"

    queue = "imports"
    task = "datasets.tasks.run_import"
    slug = "imports"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    version = models.OneToOneField(
        DatasetVersion, on_delete=models.CASCADE, related_name="import_job"
    )
    source = models.CharField(max_length=20, choices=Source.choices)
    file = models.FileField(storage=uploads_storage, max_length=200, blank=True)
    file_name = models.CharField(max_length=255, blank=True)
    keep_splits = models.BooleanField(default=True)
    endpoint = models.CharField(max_length=300, blank=True)
    origin = models.CharField(
        max_length=36, blank=True, help_text="id of the project in Custom Vision"
    )
    include_untagged = models.BooleanField(default=False)
    report = models.JSONField(default=dict, blank=True)

    objects = ImportQuerySet.as_manager()  # type: ignore[misc]

    class Meta(Job.Meta):
        pass

    @property
    def may_be_retried(self) -> bool:
        """Whether it failed through no fault of the upload, which is kept then."""
        if self.status != Status.FAILED or not self.error or not self.file:
            return False
        return UserError(self.error["code"]).status >= _OURS

    def moved(self) -> None:
        """Keep the version in step, however the import ends; the work itself makes it ready.

        Of an import that does not succeed nothing stays but its story, and its upload where another
        try may succeed.
        """
        mirrored = {
            Status.FAILED: DatasetVersion.Status.FAILED,
            Status.CANCELED: DatasetVersion.Status.FAILED,
            Status.QUEUED: DatasetVersion.Status.IMPORTING,
        }
        if status := mirrored.get(Status(self.status)):
            DatasetVersion.objects.filter(pk=self.version_id).update(status=status)
        if status == DatasetVersion.Status.FAILED:
            self.version.clear()
        if self.status in TERMINAL:
            ImportSecret.objects.filter(import_job=self.pk).delete()
            self._release_remote_pictures()
        if self.status in TERMINAL and not self.may_be_retried:
            transaction.on_commit(self.drop_upload, robust=True)

    def _release_remote_pictures(self) -> None:
        """Let pictures go that no version uses, unless they wait for another try."""
        if self.origin and self.status != Status.FAILED:
            mine = RemotePicture.objects.filter(project=self.project_id, origin=self.origin)
            mine.update(keep_until=None)

    def drop_upload(self) -> None:
        """Remove the uploaded file; nobody needs it any more."""
        if self.file:
            uploads_storage().delete(self.file.name)
            Import.objects.filter(pk=self.pk).update(file="")


class ImportSecret(models.Model):
    """The key by which an import reads: sealed (storage/sealing.py), and gone when it ends."""

    import_job = models.OneToOneField(
        Import, primary_key=True, on_delete=models.CASCADE, related_name="secret"
    )
    sealed = models.BinaryField()

    def __str__(self) -> str:
        return str(self.import_job_id)


class ImportEvent(JobEvent):
    """The story of an import."""

    job = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="events")

    class Meta(JobEvent.Meta):
        pass
