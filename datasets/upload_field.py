"""Names an upload that arrived in pieces, in a request that imports it."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers

from datasets.models import Import, Upload
from jobs.errors import UserError
from projects.serializer_base import ScopedField


class UploadField(ScopedField):
    """The id of a complete upload of the caller's own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"queryset": Upload.objects.all(), **kwargs})

    def get_queryset(self) -> Any:
        """Narrow the uploads to the caller's own that have not expired."""
        rows: Any = super().get_queryset()
        if rows is None:
            return None
        return rows.filter(user=self.context["request"].user.pk, expires_at__gt=timezone.now())

    def to_internal_value(self, data: Any) -> Upload:
        """Find the upload.

        Raises:
            ValidationError: there is no such upload for the caller.
            UserError: `upload_incomplete`, or `upload_used`.
        """
        try:
            upload: Upload = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if self._was_used(data):
                raise UserError("upload_used") from error
            raise
        if not upload.is_complete:
            raise UserError("upload_incomplete", offset=upload.offset, length=upload.length)
        return upload

    def _was_used(self, data: Any) -> bool:
        """Whether there is an import of it: that has the upload's id."""
        with suppress(ValueError):
            rows = Import.objects.visible_to(self.context["request"].user)
            return bool(rows.filter(pk=UUID(str(data))).exists())
        return False
