"""Who you are: the user, and the tokens of machine clients."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken


class User(AbstractUser):  # type: ignore[django-manager-missing]  # knox is not typed
    """A person; the id is opaque so that it can stand in URLs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    #: Empty until the person chooses one.
    language = models.CharField(
        _("language"), max_length=5, choices=settings.LANGUAGES, blank=True, default=""
    )

    email_when_done = models.BooleanField(
        _("e-mail when my trainings and imports end"), default=False
    )

    class Meta(AbstractUser.Meta):
        ordering: ClassVar = ["username"]


class Scope(models.TextChoices):
    """What a token may do, within what its user may do."""

    READ = "read", _("Read")
    IMPORT = "import", _("Import data")
    TRAIN = "train", _("Train")
    DETECT = "detect", _("Detect objects")
    MANAGE = "manage", _("Manage projects")


class ApiToken(AbstractAuthToken):  # type: ignore[misc]
    """A machine client's key: shown once, stored as a digest, confined by scopes and project."""

    id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    scopes = models.JSONField(default=list)
    project = models.ForeignKey(
        "projects.Project", null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created"]

    def __str__(self) -> str:
        return self.name


class IdempotentAnswer(models.Model):
    """The first answer to a POST with an `Idempotency-Key`, kept for 24 hours."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token_digest = models.CharField(max_length=128, blank=True)
    key = models.CharField(max_length=255)
    path = models.CharField(max_length=200)
    body_sha256 = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField()
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "token_digest", "key"], name="accounts_idempotent_once"
            )
        ]

    def __str__(self) -> str:
        return self.key
