"""The pictures of a project: each once, however many versions use it."""

import uuid
from typing import Any, ClassVar

from django.core.files.storage import storages
from django.db import models

from projects.access import ScopedQuerySet
from projects.models import Project


def images_storage() -> Any:
    """Return the storage of pictures and thumbnails, named by content."""
    return storages["images"]


class Picture(models.Model):
    """The bytes of a picture, once a project: verified, upright, without metadata."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pictures")
    sha256 = models.CharField(max_length=64, help_text="of the bytes as they came")
    stored_sha256 = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_index=True,
        help_text="of the file as it is kept, which an export holds",
    )
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

    @property
    def content_digest(self) -> str:
        """The digest of the kept file; of the file as it came for rows of the first releases."""
        return self.stored_sha256 or self.sha256

    @property
    def is_stored(self) -> bool:
        """Whether its files are there, and none was cut short by a power cut."""
        storage = images_storage()
        try:
            whole = bool(storage.size(str(self.file)) == self.size)
            return whole and storage.size(str(self.thumbnail)) > 0
        except FileNotFoundError:
            return False
