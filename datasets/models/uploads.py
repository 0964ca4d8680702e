"""Uploads that arrive in parts and may be resumed: what of each is safely here."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from projects.models import Project

#: How long an upload waits for its next bytes.
KEPT = timedelta(hours=24)


class UploadQuerySet(models.QuerySet[Any]):
    """Uploads, each of one user."""

    def visible_to(self, user: Any) -> Self:
        """Uploads of the user; a token that is confined to a project sees those for it."""
        if not getattr(user, "is_authenticated", False):
            return self.none()
        rows = self.filter(user_id=user.pk, touched_at__gt=timezone.now() - KEPT)
        confined_to = getattr(user, "confined_to_project_id", None)
        return rows if confined_to is None else rows.filter(project=confined_to)


class Upload(models.Model):
    """A file on its way; `offset` counts the bytes that survive whatever is killed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads"
    )
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    file_name = models.CharField(max_length=255, blank=True)
    length = models.PositiveBigIntegerField()
    offset = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(default=timezone.now)

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return self.file_name or str(self.pk)

    @property
    def expires_at(self) -> datetime:
        """When it goes, unless more bytes come."""
        return self.touched_at + KEPT

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are here."""
        return self.offset == self.length
