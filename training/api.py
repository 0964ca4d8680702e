"""The API of training runs, their options and the models that they made."""

import mimetypes
from typing import Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from jobs.api import JobActionsMixin
from jobs.errors import UserError
from projects.viewsets import (
    CreateMixin,
    DestroyMixin,
    ListMixin,
    ProjectScopedViewSet,
    RetrieveMixin,
    UpdateMixin,
)
from storage.downloads import stream_file
from training import epochs, services
from training.fleet import smallest_card
from training.live_api import RunPicturesMixin
from training.models import Checkpoint, TrainedModel, TrainingRun
from training.option import InvalidOptionsError
from training.option_errors import refused
from training.options import describe_options, validate_options
from training.preflight import look_ahead
from training.preflight_serializers import (
    PreflightSerializer,
    PresetQuerySerializer,
    PresetsSerializer,
)
from training.presets import presets_for
from training.recovery_serializers import ResumeSerializer
from training.result_api import RunResultsMixin
from training.serializers import (
    ArtifactSerializer,
    MetricsSerializer,
    ModelSerializer,
    NewRunSerializer,
    RunSerializer,
    TrainingOptionsSerializer,
)

#: Plots are shown in the page; everything else is saved.
_SHOWN_INLINE = frozenset({"image/png", "image/jpeg"})


class TrainingOptionsView(APIView):
    """Base models and parameters: enough to draw the form."""

    @extend_schema(responses=TrainingOptionsSerializer)
    def get(self, request: Request) -> Response:
        """Return all that can be chosen, in the reader's language."""
        return Response(describe_options())


class TrainingPresetsView(APIView):
    """Settings that suit some data: a quick try, balanced, best quality."""

    @extend_schema(parameters=[PresetQuerySerializer], responses=PresetsSerializer)
    def get(self, request: Request) -> Response:
        """Return the presets for a version, in the reader's language."""
        context = {"request": request, "view": self}
        query = PresetQuerySerializer(data=request.query_params.dict(), context=context)
        query.is_valid(raise_exception=True)
        version = query.validated_data["dataset_version"]
        found = presets_for(version, card=smallest_card())
        return Response({"results": [preset.as_json() for preset in found]})


class RunViewSet(
    RunPicturesMixin,
    RunResultsMixin,
    JobActionsMixin,
    ListMixin,
    RetrieveMixin,
    CreateMixin,
    ProjectScopedViewSet,
):
    """Training runs."""

    queryset = TrainingRun.objects.select_related("model").all()
    serializer_class = RunSerializer
    write_serializer_class = NewRunSerializer
    write_scope = "train"
    filterset_fields = ("project", "status")
    ordering_fields = ("created_at", "name", "status")
    created_status = status.HTTP_202_ACCEPTED

    def get_queryset(self) -> Any:
        """Runs that the caller may see, with their place in the queue."""
        return super().get_queryset().with_queue_position()

    def perform_create(self, serializer: BaseSerializer[Any]) -> TrainingRun:
        """Queue a training."""
        try:
            return services.start_run(user=self.user, **serializer.validated_data)
        except InvalidOptionsError as invalid:
            raise refused(invalid) from invalid

    @extend_schema(responses={200: PreflightSerializer})
    @action(detail=False, methods=["post"])
    def preflight(self, request: Request, *_: Any, **__: Any) -> Response:
        """Tell what starting this training would find and take; nothing is started."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = dict(serializer.validated_data)
        for name in ("name", "priority"):
            asked.pop(name)
        architecture = services.architecture_of(asked["base_model"], asked["start_model"])
        try:
            asked["options"] = validate_options(asked["options"], architecture=architecture)
        except InvalidOptionsError as invalid:
            raise refused(invalid) from invalid
        found = look_ahead(**asked)
        return Response(PreflightSerializer(found).data)

    @extend_schema(request=None, responses={202: RunSerializer})
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, *_: Any, **__: Any) -> Response:
        """End after the current epoch and keep the best model."""
        run = self.get_object()
        services.stop_run(run=run)
        return Response(self.shown(run), status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: RunSerializer})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, *_: Any, **__: Any) -> Response:
        """Lay the run aside: the GPU is free within seconds; `resume/` goes on where it was."""
        run = self.get_object()
        services.pause_run(run=run)
        return Response(self.shown(run), status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=ResumeSerializer, responses={202: RunSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, *_: Any, **__: Any) -> Response:
        """Go on from the last checkpoint of a failed, canceled or paused run."""
        run = self.get_object()
        wish = ResumeSerializer(data=request.data, context=self.get_serializer_context())
        wish.is_valid(raise_exception=True)
        changes = dict(wish.validated_data)
        finish = changes.pop("finish")
        try:
            services.resume_run(run=run, changes=changes, finish=finish)
        except InvalidOptionsError as invalid:
            raise refused(invalid) from invalid
        return Response(self.shown(run), status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=NewRunSerializer)
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, *_: Any, **__: Any) -> Response:
        """Return the body that would start the same training again; nothing is started."""
        return Response(services.duplicate_run(self.get_object()))

    @extend_schema(responses=MetricsSerializer)
    @action(detail=True, filter_backends=[], pagination_class=None)
    def metrics(self, request: Request, *_: Any, **__: Any) -> Response:
        """Return what each committed epoch measured."""
        rows = self.get_object().epochs.all()
        return Response({"results": [epochs.row(row) for row in rows]})

    @extend_schema(responses=ArtifactSerializer(many=True))
    @action(detail=True, filter_backends=[], pagination_class=None)
    def artifacts(self, request: Request, *_: Any, **__: Any) -> Response:
        """Return plots, tables and weights that the run left behind."""
        run = self.get_object()
        context = self.get_serializer_context()
        found = ArtifactSerializer(run.artifacts.all(), many=True, context=context).data
        return Response([*found, *_weights(run, request)])

    @extend_schema(responses=OpenApiTypes.BINARY)
    @action(
        detail=True,
        url_path="artifacts/<str:name>",
        url_name="artifact",
        filter_backends=[],
        pagination_class=None,
    )
    def artifact(self, request: Request, name: str = "", **_: Any) -> Any:
        """Return one of them."""
        run = self.get_object()
        checkpoint = _checkpoint(run, name)
        if checkpoint is not None:
            return _weights_answer(request, checkpoint, name)
        artifact = get_object_or_404(run.artifacts.all(), name=name)
        kind = mimetypes.guess_type(artifact.name)[0] or "application/octet-stream"
        return stream_file(
            request._request,
            artifact.file,
            filename=artifact.name,
            content_type=kind,
            etag=f"{artifact.pk}",
            inline=kind in _SHOWN_INLINE,
        )


class ModelViewSet(ListMixin, RetrieveMixin, UpdateMixin, DestroyMixin, ProjectScopedViewSet):
    """Models."""

    queryset = TrainedModel.objects.all()
    serializer_class = ModelSerializer
    write_scope = "train"
    filterset_fields = ("project", "stage")
    ordering_fields = ("created_at", "name", "version")

    def perform_update(self, serializer: BaseSerializer[Any]) -> TrainedModel:
        """Rename a model or change its stage."""
        return services.update_model(
            model=cast(TrainedModel, serializer.instance), **serializer.validated_data
        )

    def perform_destroy(self, row: TrainedModel) -> None:
        """Remove a model and its weights."""
        services.delete_model(model=row)

    @extend_schema(
        parameters=[OpenApiParameter("format", enum=["pt", "onnx", "openvino", "engine"])],
        responses=OpenApiTypes.BINARY,
    )
    @action(detail=True, filter_backends=[], pagination_class=None)
    def download(self, request: Request, *_: Any, **__: Any) -> Any:
        """Return the weights."""
        model = self.get_object()
        wanted = request.query_params.get("format", "pt")
        if wanted != "pt":
            raise UserError("not_exported", format=wanted[:20])
        return _weights_answer(request, model, model.file_name)


def _weights_answer(request: Request, row: TrainedModel | Checkpoint, filename: str) -> Any:
    return stream_file(
        request._request,
        row.file,
        filename=filename,
        content_type="application/octet-stream",
        etag=row.sha256,
    )


def _weights(run: TrainingRun, request: Request) -> list[dict[str, Any]]:
    """Return the checkpoints of a run as artifacts `best.pt` and `last.pt`."""
    found = []
    for kind in Checkpoint.Kind:
        checkpoint = _checkpoint(run, f"{kind}.pt")
        if checkpoint is not None:
            url = reverse("run-artifact", args=[run.pk, f"{kind}.pt"], request=request)
            found.append(
                {"name": f"{kind}.pt", "kind": str(kind), "size": checkpoint.size, "url": url}
            )
    return found


def _checkpoint(run: TrainingRun, name: str) -> Checkpoint | None:
    kind = name.removesuffix(".pt")
    if kind not in Checkpoint.Kind.values:
        return None
    return run.checkpoints.filter(kind=kind).order_by("-epoch", "-attempt").first()
