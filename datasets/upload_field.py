"""Names an upload that arrived in pieces, in a request that imports it."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers

from datasets.models import Import, Upload
from jobs.errors import UserError


class UploadField(serializers.PrimaryKeyRelatedField[Upload]):
    """The id of a complete upload of the caller's own."""

    def __init__(self, **kwargs: Any) -> None:
        queryset = Upload.objects.all()
        super().__init__(**{"pk_field": serializers.UUIDField(), "queryset": queryset, **kwargs})

    def get_queryset(self) -> Any:
        """Narrow the uploads to the caller's own that have not expired."""
        rows = Upload.objects.visible_to(self.context["request"].user)
        return rows.filter(expires_at__gt=timezone.now())

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
