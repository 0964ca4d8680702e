"""The API of imports, datasets, their versions and pictures."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from django.db.models import Count, OuterRef, Prefetch, Q, Subquery
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.idempotency import idempotent
from accounts.parsers import LimitedJSONParser
from datasets import exports, services
from datasets.copies import Copy
from datasets.custom_vision_preview import preview
from datasets.image_problems import TITLES
from datasets.materialize import class_names, data_yaml, mapping_text
from datasets.models import Dataset, DatasetClass, DatasetImage, DatasetVersion, Import
from datasets.selection import Selection
from datasets.serializers import (
    CustomVisionPreviewSerializer,
    DatasetSerializer,
    ImageQuerySerializer,
    ImageSerializer,
    ImportSerializer,
    NewCustomVisionImportSerializer,
    NewImportSerializer,
    PreviewSerializer,
    VersionSerializer,
)
from datasets.split_serializers import ResplitSerializer
from datasets.uploads import stored_upload, taken_upload
from datasets.version_reports import VersionReportsMixin
from jobs.api import JobActionsMixin
from projects.filters import ClosedOrderingFilter
from projects.viewsets import (
    CreateMixin,
    DestroyMixin,
    ListMixin,
    ProjectScopedViewSet,
    RetrieveMixin,
    UpdateMixin,
)
from storage.downloads import stream_file

_YEAR_SECONDS = 365 * 24 * 3600
#: A ZIP that was uploaded before, or a project of Custom Vision.
_JSON_IMPORT = PolymorphicProxySerializer(
    component_name="NewImportJson",
    serializers=[NewImportSerializer, NewCustomVisionImportSerializer],
    resource_type_field_name=None,
)


class ImportViewSet(JobActionsMixin, ListMixin, RetrieveMixin, CreateMixin, ProjectScopedViewSet):
    """Imports."""

    queryset = Import.objects.select_related("version").all()
    serializer_class = ImportSerializer
    write_serializer_class = NewImportSerializer
    parser_classes = (MultiPartParser, LimitedJSONParser)
    write_scope = "import"
    filterset_fields = ("project", "status")
    ordering_fields = ("created_at", "status")

    @contextmanager
    def _stored(self, request: Request) -> Iterator[dict[str, Any]]:
        """Check a request and store its ZIP, before anything is locked."""
        data, context = request.data, self.get_serializer_context()
        source = data.get("source") if isinstance(data, Mapping) else None
        is_remote = source == Import.Source.CUSTOM_VISION
        kind: Any = NewCustomVisionImportSerializer if is_remote else NewImportSerializer
        serializer = kind(data=data, context=context)
        serializer.is_valid(raise_exception=True)
        values = {k: v for k, v in serializer.validated_data.items() if k != "source"}
        if is_remote:
            yield values
        elif "upload" in values:
            with taken_upload(values.pop("upload")) as upload:
                yield {**values, "upload": upload}
        else:
            with stored_upload(values.pop("file")) as upload:
                yield {**values, "upload": upload}

    @extend_schema(
        request={
            "multipart/form-data": NewImportSerializer,
            "application/json": _JSON_IMPORT,
        },
        responses={202: ImportSerializer},
    )
    @idempotent(prepare=_stored)
    def create(self, request: Request, values: dict[str, Any], *_: Any, **__: Any) -> Response:
        """Queue the import of a ZIP, or of a Custom Vision project."""
        is_zip = "upload" in values
        create = services.create_import if is_zip else services.create_custom_vision_import
        return Response(self.shown(create(user=self.user, **values)), status.HTTP_202_ACCEPTED)

    @extend_schema(request=CustomVisionPreviewSerializer, responses=PreviewSerializer)
    @action(detail=False, methods=["post"], url_path="preview")
    def preview(self, request: Request, *_: Any, **__: Any) -> Response:
        """Look at a Custom Vision project before it is imported; nothing of it is kept."""
        form = CustomVisionPreviewSerializer(
            data=request.data, context=self.get_serializer_context()
        )
        form.is_valid(raise_exception=True)
        found = preview(form.validated_data["address"], form.validated_data["training_key"])
        return Response(PreviewSerializer(found).data)

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, *_: Any, **__: Any) -> Response:
        """Queue an import again that failed through our fault; its upload is kept for a week."""
        job = self.get_object()
        services.retry_import(job=job)
        return Response(self.shown(job), status=status.HTTP_202_ACCEPTED)


class DatasetViewSet(ListMixin, RetrieveMixin, UpdateMixin, DestroyMixin, ProjectScopedViewSet):
    """Datasets; an import makes them."""

    queryset = Dataset.objects.all()
    serializer_class = DatasetSerializer
    write_scope = "import"
    filterset_fields = ("project",)
    ordering_fields = ("created_at", "name")

    def get_queryset(self) -> Any:
        """Datasets that the caller may see, with their newest version that is ready."""
        newest = DatasetVersion.objects.ready().filter(dataset=OuterRef("pk")).order_by("-number")
        return (
            super()
            .get_queryset()
            .annotate(
                version_count=Count("versions"), latest_version=Subquery(newest.values("pk")[:1])
            )
        )

    def perform_update(self, serializer: BaseSerializer[Any]) -> Dataset:
        """Rename a dataset."""
        dataset = cast(Dataset, serializer.instance)
        return services.rename_dataset(dataset=dataset, **serializer.validated_data)

    def perform_destroy(self, row: Dataset) -> None:
        """Remove a dataset with its versions."""
        services.delete_dataset(dataset=row)


class VersionViewSet(VersionReportsMixin, ListMixin, RetrieveMixin, ProjectScopedViewSet):
    """Versions of datasets."""

    queryset = DatasetVersion.objects.select_related("dataset").prefetch_related(
        Prefetch("classes", DatasetClass.objects.order_by("index"))
    )
    serializer_class = VersionSerializer
    write_scope = "import"
    filterset_fields = ("dataset", "status")
    ordering_fields = ("created_at", "number")

    @extend_schema(
        parameters=[
            OpenApiParameter("split", enum=DatasetImage.Split.values),
            OpenApiParameter("class", description="index or name of a class"),
            OpenApiParameter("problem", enum=list(TITLES), description="something odd about it"),
            OpenApiParameter("q", description="part of the file name"),
            OpenApiParameter("ordering", enum=["position", "-position", "file_name", "-file_name"]),
        ],
        responses=ImageSerializer(many=True),
    )
    @action(detail=True, filter_backends=[], ordering_fields=("position", "file_name"))
    def images(self, request: Request, *_: Any, **__: Any) -> Response:
        """List the pictures of a version with their boxes."""
        version = self.get_object()
        query = ImageQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        rows = _filtered(version, query.validated_data)
        # By hand: as a filter backend it would order the versions too, among which ours is found.
        page = self.paginate_queryset(ClosedOrderingFilter().filter_queryset(request, rows, self))
        names = {row.index: row.name for row in version.classes.all()}
        context = {**self.get_serializer_context(), "class_names": names}
        return self.get_paginated_response(ImageSerializer(page, many=True, context=context).data)

    @extend_schema(responses={(200, "application/yaml"): OpenApiTypes.STR})
    @action(detail=True, url_path="data.yaml", url_name="data-yaml", pagination_class=None)
    def data_yaml(self, request: Request, *_: Any, **__: Any) -> HttpResponse:
        """Return the class map as the `data.yaml` that training tools read."""
        return _text(data_yaml(self._class_names()), "application/yaml", "data.yaml")

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR})
    @action(detail=True, url_path="mapping.txt", url_name="mapping", pagination_class=None)
    def mapping(self, request: Request, *_: Any, **__: Any) -> HttpResponse:
        """Return the class map, one `index: name` a line."""
        return _text(mapping_text(self._class_names()), "text/plain", "mapping.txt")

    def _class_names(self) -> list[str]:
        return class_names(self._ready())

    @extend_schema(
        parameters=[OpenApiParameter("format", enum=["yolo", "coco", "voc"])],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    @action(detail=True, filter_backends=[], pagination_class=None)
    def export(self, request: Request, *_: Any, **__: Any) -> Any:
        """Return the version as a ZIP, made while it is sent."""
        wanted = request.query_params.get("format", "yolo")
        return exports.answer(request._request, self.get_object(), wanted)

    @contextmanager
    def _copied(self, request: Request) -> Iterator[Copy]:
        """Check a request and copy its version, before anything is locked."""
        version = self.get_object()
        body = ResplitSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        with services.copy_version(version=version, **body.validated_data) as copy:
            yield copy

    @extend_schema(request=ResplitSerializer, responses={201: VersionSerializer})
    @action(detail=True, methods=["post"])
    @idempotent(prepare=_copied)
    def resplit(self, request: Request, copy: Copy, *_: Any, **__: Any) -> Response:
        """Make a new version with the same pictures, split anew."""
        made = services.publish_copy(copy=copy)
        return Response(self.shown(made), status=status.HTTP_201_CREATED)


class ImageViewSet(ProjectScopedViewSet):
    """The bytes of pictures."""

    queryset = DatasetImage.objects.whole().select_related("picture", "version__dataset")
    serializer_class = ImageSerializer
    filterset_fields = ()

    @extend_schema(responses={(200, "image/*"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[], pagination_class=None)
    def file(self, request: Request, *_: Any, **__: Any) -> Any:
        """Return a picture, upright."""
        image = self.get_object()
        return _picture_answer(request, image.picture.file, image.file_name)

    @extend_schema(responses={(200, "image/*"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[], pagination_class=None)
    def thumbnail(self, request: Request, *_: Any, **__: Any) -> Any:
        """Return a picture, small."""
        image = self.get_object()
        return _picture_answer(request, image.picture.thumbnail, image.file_name)


def _filtered(version: DatasetVersion, wanted: dict[str, Any]) -> Any:
    classes = None
    if name := wanted.get("class"):
        is_class = Q(name=name) | (Q(index=int(name)) if name.isdecimal() else Q())
        classes = list(DatasetClass.objects.filter(is_class, version=version))
    plain = {key: wanted.get(key, "") for key in ("split", "problem")}
    selection = Selection(version, classes=classes, text=wanted.get("q", ""), **plain)
    return selection.images().whole().select_related("picture")


def _picture_answer(request: Request, file: Any, file_name: str) -> Any:
    """Answer with a stored picture; its name is made from its content, so it never changes."""
    return stream_file(
        request._request,
        file,
        filename=file_name,
        content_type=exports.content_type_of(file.name),
        etag=file.name,
        inline=True,
        max_age=_YEAR_SECONDS,
        immutable=True,
    )


def _text(content: str, content_type: str, filename: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return HttpResponse(content, content_type=f"{content_type}; charset=utf-8", headers=headers)
