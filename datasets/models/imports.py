"""Imports: what brings pictures and labels from outside into a version."""

from typing import Any, ClassVar

from django.core.files.storage import storages
from django.db import models, transaction
from django.utils import timezone

from datasets.models.pictures import Picture
from datasets.models.versions import DatasetVersion
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
    tells_its_end = True

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    version = models.OneToOneField(
        DatasetVersion, on_delete=models.CASCADE, related_name="import_job"
    )
    source = models.CharField(max_length=20, choices=Source.choices)
    file = models.FileField(storage=uploads_storage, max_length=200, blank=True)
    file_name = models.CharField(max_length=255, blank=True)
    file_size = models.PositiveBigIntegerField(
        default=0, help_text="bytes of the file, until nobody needs it any more"
    )
    keep_splits = models.BooleanField(default=True)
    endpoint = models.CharField(max_length=300, blank=True)
    origin = models.CharField(
        max_length=36, blank=True, help_text="id of the project in Custom Vision"
    )
    include_untagged = models.BooleanField(default=False)
    review = models.BooleanField(
        default=False, help_text="somebody checks the classes before the version can be used"
    )
    adds = models.BooleanField(
        default=False, help_text="the newest version's pictures stay, and these come to them"
    )
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

    @property
    def keeps_pictures(self) -> bool:
        """Whether pictures that it fetched wait for another try, though it failed."""
        if self.status != Status.FAILED or not self.origin:
            return False
        mine = RemotePicture.objects.filter(project=self.project_id, origin=self.origin)
        return mine.filter(keep_until__gt=timezone.now()).exists()

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
            Import.objects.filter(pk=self.pk).update(file="", file_size=0)


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


class RemotePicture(models.Model):
    """That a picture of a Custom Vision project is here: it is not fetched a second time."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    origin = models.CharField(max_length=36, help_text="id of the project in Custom Vision")
    remote_id = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64, help_text="of the bytes as they came")
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
