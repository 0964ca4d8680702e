"""Uploads in pieces that survive broken connections: the tus protocol 1.0 (tus.io/protocols)."""

import base64
import binascii
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404
from django.utils import timezone
from django.utils.http import http_date
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from datasets import arriving
from datasets.models import Upload
from jobs.errors import UserError
from projects.serializer_base import ProjectField, ScopedSerializer
from projects.viewsets import ProjectScopedViewSet

VERSION = "1.0.0"
CONTENT_TYPE = "application/offset+octet-stream"
_EXTENSIONS = "creation,creation-with-upload,expiration,termination"
#: More digits than any file has bytes.
_MAX_DIGITS = 18

_TUS = OpenApiParameter("Tus-Resumable", str, "header", required=True, enum=[VERSION])
_OFFSET = OpenApiParameter("Upload-Offset", int, "header", required=True)
_LENGTH = OpenApiParameter("Upload-Length", int, "header", required=True)
_METADATA = OpenApiParameter(
    "Upload-Metadata",
    str,
    "header",
    description="`filename` and `project` (its id), each with its value in Base64",
)
_BYTES = {CONTENT_TYPE: OpenApiTypes.BINARY}


class NewUploadSerializer(ScopedSerializer):
    """What the headers say that begin an upload."""

    project = ProjectField(required=False, allow_null=True, default=None)
    filename = serializers.CharField(max_length=1000, required=False, default="")
    length = serializers.IntegerField(min_value=0)


class UploadViewSet(ProjectScopedViewSet):
    """Uploads in pieces; each is its sender's alone."""

    http_method_names = ["post", "patch", "delete", "head", "options"]
    queryset = Upload.objects.all()
    serializer_class = NewUploadSerializer
    parser_classes = ()
    filter_backends = ()
    pagination_class = None
    write_scope = "import"
    # A token that may send has to learn how far it is.
    action_scopes: ClassVar[dict[str, str]] = dict.fromkeys(("offset", "discover"), "import")

    def get_queryset(self) -> Any:
        """Uploads of the caller that have not expired; every other id is a 404."""
        rows = super().get_queryset().select_related("project")
        return rows.filter(expires_at__gt=timezone.now())

    def require_role(self, project_id: UUID | None) -> None:
        """Ask for a role where the upload is for a project; otherwise its import will."""
        if project_id is not None:
            super().require_role(project_id)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add what every answer of the protocol says."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Tus-Resumable"] = VERSION
        answer["Cache-Control"] = "no-store"
        if answer.status_code == status.HTTP_412_PRECONDITION_FAILED:
            answer["Tus-Version"] = VERSION
        return answer

    def discover(self, request: Request, *_: Any, **__: Any) -> Response:
        """Say what of the protocol is spoken here."""
        headers = {
            "Tus-Version": VERSION,
            "Tus-Extension": _EXTENSIONS,
            "Tus-Max-Size": str(settings.MAX_UPLOAD_BYTES),
        }
        return Response(status=status.HTTP_204_NO_CONTENT, headers=headers)

    @extend_schema(
        parameters=[_TUS, _LENGTH, _METADATA],
        request=_BYTES,
        responses={201: OpenApiResponse(description="`Location` says where its bytes go.")},
    )
    def create(self, request: Request, *_: Any, **__: Any) -> Response:
        """Begin an upload; its first bytes may come along."""
        _check_version(request)
        has_bytes = _has_bytes(request)
        length = _number(request, "Upload-Length")
        data = {**self._confined(), **_metadata(request), "length": length}
        form = NewUploadSerializer(data=data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        values = form.validated_data
        if has_bytes and _declared(request) > length:
            raise UserError("upload_too_long", length=length)
        upload = arriving.create_upload(
            user=self.user, project=values["project"], file_name=values["filename"], length=length
        )
        if has_bytes:
            arriving.append(upload, 0, request._request)
        location = reverse("upload-detail", args=[upload.pk], request=request)
        return Response(
            status=status.HTTP_201_CREATED, headers={**_state(upload), "Location": location}
        )

    def offset(self, request: Request, *_: Any, **__: Any) -> Response:
        """Say how far an upload is."""
        upload = self.get_object()
        _check_version(request)
        headers = {**_state(upload), "Upload-Length": str(upload.length)}
        headers["Upload-Metadata"] = _metadata_of(upload)
        return Response(headers=headers)

    @extend_schema(
        parameters=[_TUS, _OFFSET],
        request=_BYTES,
        responses={204: OpenApiResponse(description="`Upload-Offset` says how far it is now.")},
    )
    def append(self, request: Request, *_: Any, **__: Any) -> Response:
        """Add bytes to an upload."""
        upload = self.get_object()
        _check_version(request)
        if request.content_type != CONTENT_TYPE:
            raise UserError("upload_content_type")
        offset = _number(request, "Upload-Offset")
        if offset == upload.offset and offset + _declared(request) > upload.length:
            raise UserError("upload_too_long", length=upload.length)
        try:
            arriving.append(upload, offset, request._request)
        except Upload.DoesNotExist as error:
            raise Http404 from error
        return Response(status=status.HTTP_204_NO_CONTENT, headers=_state(upload))

    @extend_schema(parameters=[_TUS], responses={204: None})
    def destroy(self, request: Request, *_: Any, **__: Any) -> Response:
        """Remove an upload."""
        upload = self.get_object()
        _check_version(request)
        arriving.remove(upload)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _confined(self) -> dict[str, Any]:
        """Return the project of a token that has but one."""
        project_id = getattr(self.user, "confined_to_project_id", None)
        return {"project": str(project_id)} if project_id else {}


def _state(upload: Upload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": http_date(upload.expires_at.timestamp()),
    }


def _check_version(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise UserError("upload_protocol")


def _has_bytes(request: Request) -> bool:
    """Whether the first bytes come along.

    Raises:
        UserError: `upload_content_type`, there is a body that is something else.
    """
    if request.content_type == CONTENT_TYPE:
        return True
    if _declared(request) or "Transfer-Encoding" in request.headers:
        raise UserError("upload_content_type")
    return False


def _declared(request: Request) -> int:
    text = request.headers.get("Content-Length") or "0"
    return int(text) if text.isascii() and text.isdigit() else 0


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit()):
        raise UserError("upload_header", header=name)
    if len(text) > _MAX_DIGITS:
        raise RequestDataTooBig
    return int(text)


def _metadata(request: Request) -> dict[str, str]:
    """Return what `Upload-Metadata` says of the two things that matter here.

    Raises:
        UserError: `upload_header`, it is not what the protocol describes.
    """
    found = {}
    text = request.headers.get("Upload-Metadata", "")
    try:
        for pair in filter(None, map(str.strip, text.split(","))):
            name, _, value = pair.partition(" ")
            found[name] = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise UserError("upload_header", header="Upload-Metadata") from error
    return {name: found[name] for name in ("filename", "project") if name in found}


def _metadata_of(upload: Upload) -> str:
    values = {"filename": upload.file_name}
    if upload.project_id:
        values["project"] = str(upload.project_id)
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in values.items())
