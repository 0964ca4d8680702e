"""What the API tells of a version beyond its rows, and how one becomes another."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.idempotency import idempotent
from datasets import resplit, reviewing, services
from datasets.comparison import compare
from datasets.comparison_serializers import CompareQuerySerializer, ComparisonSerializer
from datasets.copies import Copy
from datasets.edit_serializers import EditSerializer
from datasets.health_serializers import HealthSerializer, health_of
from datasets.models import DatasetVersion
from datasets.serializers import VersionSerializer
from jobs.errors import UserError
from projects.viewsets import ProjectScopedViewSet

#: What a version is before its classes can be changed, and what it is told otherwise.
_STATUS_BEFORE = {"edit": DatasetVersion.Status.READY, "confirm": DatasetVersion.Status.REVIEW}
_REFUSED = {"edit": "version_not_ready", "confirm": "version_confirmed"}
_WITH = OpenApiParameter("with", UUID, required=True, description="the earlier version")


class VersionReportsMixin(ProjectScopedViewSet):
    """Adds health, comparison, changes and restoring to the endpoint of versions."""

    def _ready(self) -> DatasetVersion:
        version: DatasetVersion = self.get_object()
        if version.status != DatasetVersion.Status.READY:
            raise UserError("version_not_ready")
        return version

    @extend_schema(responses=HealthSerializer)
    @action(detail=True, filter_backends=[], pagination_class=None)
    def health(self, request: Request, *_: Any, **__: Any) -> Response:
        """Say whether it is ready to train on, what would harm a model, and how it is made up."""
        return Response(HealthSerializer(health_of(self._ready())).data)

    @extend_schema(parameters=[_WITH], responses=ComparisonSerializer)
    @action(detail=True, filter_backends=[], pagination_class=None)
    def compare(self, request: Request, *_: Any, **__: Any) -> Response:
        """Say what is different from an earlier version of the same dataset."""
        now = self._ready()
        context = self.get_serializer_context()
        query = CompareQuerySerializer(data=request.query_params, context=context)
        query.is_valid(raise_exception=True)
        before = query.validated_data["with"]
        if before.dataset_id != now.dataset_id:
            raise UserError("versions_unrelated")
        return Response(ComparisonSerializer(compare(before, now)).data)

    @contextmanager
    def _restored(self, request: Request) -> Iterator[Copy]:
        """Copy the version as it is, before anything is locked."""
        with resplit.restored(self.get_object()) as copy:
            yield copy

    @contextmanager
    def _edited(self, request: Request) -> Iterator[Copy | None]:
        """Copy the version with what is asked for, before anything is locked."""
        version = self.get_object()
        if version.status != _STATUS_BEFORE[self.action]:
            raise UserError(_REFUSED[self.action])
        body = EditSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        with reviewing.prepared_edit(version, body.edit) as copy:
            yield copy

    @extend_schema(request=EditSerializer, responses={201: VersionSerializer})
    @action(detail=True, methods=["post"])
    @idempotent(prepare=_edited)
    def edit(self, request: Request, copy: Copy | None, *_: Any, **__: Any) -> Response:
        """Change classes and mend labels of a version: this makes the next one."""
        made = reviewing.apply_edit(version=self.get_object(), copy=copy)
        return Response(self.shown(made), status=status.HTTP_201_CREATED)

    @extend_schema(request=EditSerializer, responses=VersionSerializer)
    @action(detail=True, methods=["post"])
    @idempotent(prepare=_edited)
    def confirm(self, request: Request, copy: Copy | None, *_: Any, **__: Any) -> Response:
        """Make a version ready that waits for it, with what is to be changed before."""
        made = reviewing.apply_edit(version=self.get_object(), copy=copy)
        return Response(self.shown(made))

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    @idempotent()
    def discard(self, request: Request, *_: Any, **__: Any) -> Response:
        """Throw away a version that waits to be confirmed."""
        reviewing.discard_version(version=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={201: VersionSerializer})
    @action(detail=True, methods=["post"])
    @idempotent(prepare=_restored)
    def restore(self, request: Request, copy: Copy, *_: Any, **__: Any) -> Response:
        """Make the version the newest again: the next one, with the same content."""
        made = services.publish_copy(copy=copy)
        return Response(self.shown(made), status=status.HTTP_201_CREATED)
