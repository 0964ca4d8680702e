"""The API of detections and evaluations."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

import detection.errors  # noqa: F401  registers the codes
from accounts.idempotency import idempotent
from accounts.parsers import LimitedJSONParser
from detection import exports, intake, rendering, services
from detection.models import Detection, DetectionImage, Evaluation
from detection.serializers import (
    ConfidenceField,
    DetectionSerializer,
    DetectionSummarySerializer,
    EvaluationSerializer,
    NewDetectionSerializer,
)
from detection.waiting import wait_for
from jobs.api import JobActionsMixin
from projects.access import VIEWERS
from projects.viewsets import (
    CreateMixin,
    DestroyMixin,
    ListMixin,
    ProjectScopedViewSet,
    RetrieveMixin,
)
from storage.downloads import stream_file


class DetectionQuerySerializer(serializers.Serializer[Any]):
    """`?conf=`: count from another confidence than was asked for at first."""

    conf = ConfidenceField(required=False)


class DetectionViewSet(
    JobActionsMixin, ListMixin, RetrieveMixin, DestroyMixin, ProjectScopedViewSet
):
    """Detections."""

    queryset = Detection.objects.select_related("model").all()
    serializer_class = DetectionSerializer
    parser_classes = [MultiPartParser, LimitedJSONParser]  # type: ignore[assignment]
    write_scope = "detect"
    #: Whoever sees a project may try its models; only editors remove what was tried.
    action_roles: ClassVar[dict[str, frozenset[str]]] = {"create": VIEWERS, "cancel": VIEWERS}
    filterset_fields = ("project", "model", "status")
    ordering_fields = ("created_at",)

    def get_queryset(self) -> Any:
        """Detections that the caller may see; with their pictures only where all are shown."""
        rows = super().get_queryset()
        return rows.prefetch_related("images") if self.action == "retrieve" else rows

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Return the short form for a list, and the form's own for a new one."""
        by_action: dict[str, type[BaseSerializer[Any]]] = {
            "list": DetectionSummarySerializer,
            "create": NewDetectionSerializer,
        }
        return by_action.get(self.action or "", DetectionSerializer)

    def get_serializer_context(self) -> dict[str, Any]:
        """Add the confidence that the reader asks for."""
        context = dict(super().get_serializer_context())
        if self.action in {"retrieve", "export", "annotated"}:
            query = DetectionQuerySerializer(data=self.request.query_params)
            query.is_valid(raise_exception=True)
            context["conf"] = query.validated_data.get("conf")
        return context

    def shown(self, row: Detection) -> Any:
        """Return a detection with its pictures.

        Raises:
            Http404: it was deleted meanwhile, or whoever asks has lost access to it.
        """
        rows = self.get_queryset().prefetch_related("images")
        fresh = get_object_or_404(rows, pk=row.pk)
        return DetectionSerializer(fresh, context=self.get_serializer_context()).data

    @extend_schema(
        request={"multipart/form-data": NewDetectionSerializer},
        responses={200: DetectionSerializer, 202: DetectionSerializer},
    )
    def create(self, request: Request, *_: Any, **__: Any) -> Response:
        """Detect: answer at once where it is done within `wait` seconds, else 202."""
        queued = self._queue(request)
        if queued.status_code != status.HTTP_202_ACCEPTED:
            return queued
        detection = Detection(pk=UUID(queued.data["id"]))
        is_done = wait_for(detection, float(queued.data["wait"]))
        code = status.HTTP_200_OK if is_done else status.HTTP_202_ACCEPTED
        return Response(self.shown(detection), status=code)

    @contextmanager
    def _stored(self, request: Request) -> Iterator[dict[str, Any]]:
        """Check a request and store its pictures, before anything is locked."""
        serializer = NewDetectionSerializer(
            data=request.data, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        values["model"] = values["model"] or services.production_model(values["project"])
        with intake.stored_pictures(intake.unpack(values.pop("images"))) as pictures:
            yield {**values, "pictures": pictures}

    @idempotent(prepare=_stored)
    def _queue(self, request: Request, values: dict[str, Any]) -> Response:
        """Queue the work; the same key gives the same detection again."""
        wait = values.pop("wait")
        detection = services.queue_detection(user=self.user, **values)
        answer = {"id": str(detection.pk), "wait": wait}
        return Response(answer, status=status.HTTP_202_ACCEPTED)

    def perform_destroy(self, row: Detection) -> None:
        """Remove a detection with its pictures."""
        services.delete_detection(detection=row)

    @extend_schema(
        parameters=[OpenApiParameter("format", enum=["csv", "json", "coco", "zip"])],
        responses=OpenApiTypes.BINARY,
    )
    @action(detail=True, filter_backends=[], pagination_class=None)
    def export(self, request: Request, *_: Any, **__: Any) -> Any:
        """Return what was found as CSV, JSON, COCO, or a ZIP of annotated pictures."""
        detection = self.get_object()
        wanted = request.query_params.get("format", "csv")
        conf = self.get_serializer_context().get("conf") or detection.conf
        return exports.answer(request._request, detection, wanted, conf=conf)

    @extend_schema(responses=OpenApiTypes.BINARY)
    @action(detail=True, url_path="images/<int:index>", url_name="image", pagination_class=None)
    def image(self, request: Request, index: int = 0, **_: Any) -> Any:
        """Return a picture, upright."""
        row = self._image(index)
        return stream_file(
            request._request,
            row.file,
            filename=row.file_name,
            content_type=rendering.content_type_of(row),
            etag=str(row.pk),
            inline=True,
            max_age=3600,
        )

    @extend_schema(responses=OpenApiTypes.BINARY)
    @action(
        detail=True,
        url_path="images/<int:index>/annotated",
        url_name="annotated",
        pagination_class=None,
    )
    def annotated(self, request: Request, index: int = 0, **_: Any) -> Any:
        """Return a picture with boxes, names and confidences drawn on it."""
        detection = self.get_object()
        conf = self.get_serializer_context().get("conf") or detection.conf
        return rendering.annotated_answer(detection, self._image(index), conf)

    @extend_schema(responses=OpenApiTypes.BINARY)
    @action(
        detail=True,
        url_path="images/<int:index>/thumbnail",
        url_name="thumbnail",
        pagination_class=None,
    )
    def thumbnail(self, request: Request, index: int = 0, **_: Any) -> Any:
        """Return a small JPEG of a picture."""
        return rendering.thumbnail_answer(request._request, self._image(index))

    def _image(self, index: int) -> DetectionImage:
        usable = self.get_object().images.filter(error__isnull=True, width__gt=0)
        image: DetectionImage = get_object_or_404(usable, index=index)
        return image


class EvaluationViewSet(
    JobActionsMixin, ListMixin, RetrieveMixin, CreateMixin, ProjectScopedViewSet
):
    """Evaluations."""

    queryset = Evaluation.objects.all()
    serializer_class = EvaluationSerializer
    write_scope = "train"
    filterset_fields = ("project", "model", "dataset_version", "status")
    ordering_fields = ("created_at",)
    created_status = status.HTTP_202_ACCEPTED

    def perform_create(self, serializer: BaseSerializer[Any]) -> Evaluation:
        """Queue an evaluation."""
        return services.start_evaluation(user=self.user, **serializer.validated_data)
