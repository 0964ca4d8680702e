"""Uploads that arrive in pieces, until an import takes them."""

import uuid
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models

from projects.access import ScopedQuerySet
from projects.models import Project


class UploadQuerySet(ScopedQuerySet):
    """Uploads: each is its sender's alone, and only while the sender may see its project."""

    def visible_to(self, user: Any) -> Self:
        """Return the user's own; a token that is confined to a project has those for it."""
        rows = self.filter(user_id=user.pk)
        is_free = models.Q(project=None)
        if getattr(user, "confined_to_project_id", None) is not None:
            is_free = models.Q()
        return rows.filter(is_free | models.Q(pk__in=super().visible_to(user).values("pk")))


class Upload(models.Model):
    """A file on its way, as far as it has safely arrived; its bytes are in datasets/arriving.py."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey(
        Project,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="uploads",
        help_text="what it is for, where its sender said so",
    )
    file_name = models.CharField(max_length=255)
    length = models.PositiveBigIntegerField(help_text="bytes of the whole file")
    offset = models.PositiveBigIntegerField(default=0, help_text="bytes that are on the disk")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True, help_text="when it goes if nothing more comes")

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_complete(self) -> bool:
        """Whether all of it has arrived."""
        return self.offset == self.length
