"""Resumable uploads: the protocol of https://tus.io/protocols/resumable-upload, version 1.0.0.

Extensions: creation, creation-with-upload, expiration, termination.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils.http import http_date
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from datasets import tus
from datasets.models import Upload
from datasets.serializers import NewUploadSerializer
from jobs.errors import UserError
from projects.viewsets import ProjectScopedViewSet

VERSION = "1.0.0"
MEDIA_TYPE = "application/offset+octet-stream"
_EXTENSIONS = "creation,creation-with-upload,expiration,termination"


class OffsetParser(BaseParser):
    """Gives the body as it is: a stream of bytes."""

    media_type = MEDIA_TYPE

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, IO[bytes]]:
        """Return the stream."""
        return {"content": stream}


class UploadViewSet(ProjectScopedViewSet):
    """Files that arrive in parts."""

    queryset = Upload.objects.all()
    serializer_class = NewUploadSerializer
    parser_classes = (OffsetParser,)
    http_method_names = ["post", "head", "patch", "delete", "options"]
    write_scope = "import"
    filter_backends = ()
    pagination_class = None

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Say the version with every answer, as the protocol asks."""
        response.headers["Tus-Resumable"] = VERSION
        if response.status_code == status.HTTP_412_PRECONDITION_FAILED:
            response.headers["Tus-Version"] = VERSION
        return super().finalize_response(request, response, *args, **kwargs)

    def options(  # type: ignore[override]
        self, request: Request, *_: Any, **__: Any
    ) -> Response:
        """Say what is spoken here."""
        headers = {
            "Tus-Version": VERSION,
            "Tus-Extension": _EXTENSIONS,
            "Tus-Max-Size": str(settings.MAX_UPLOAD_BYTES),
        }
        return Response(status=status.HTTP_204_NO_CONTENT, headers=headers)

    @extend_schema(request=None, responses={201: None})
    def create(self, request: Request, *_: Any, **__: Any) -> Response:
        """Begin an upload of `Upload-Length` bytes; `Upload-Metadata`: filename, project."""
        metadata = _metadata(request.headers.get("Upload-Metadata", ""))
        form = NewUploadSerializer(
            data={
                "project": metadata.get("project") or self._confined_to(),
                "file_name": metadata.get("filename", ""),
                "length": _number(request, "Upload-Length"),
            },
            context=self.get_serializer_context(),
        )
        form.is_valid(raise_exception=True)
        _check_version(request)
        values = form.validated_data
        upload = tus.begin_upload(
            user=self.user,
            project=values["project"],
            name=values["file_name"],
            length=values["length"],
        )
        if request.content_type == MEDIA_TYPE:
            upload = tus.append(upload, 0, _content(request))
        location = reverse("upload-detail", args=[upload.pk], request=request)
        headers = {**_state(upload), "Location": location}
        return Response(status=status.HTTP_201_CREATED, headers=headers)

    @extend_schema(exclude=True)
    def state(self, request: Request, *_: Any, **__: Any) -> Response:
        """Say how much is here."""
        upload = self._upload()
        _check_version(request)
        headers = {**_state(upload), "Upload-Length": str(upload.length)}
        return Response(status=status.HTTP_200_OK, headers={**headers, "Cache-Control": "no-store"})

    @extend_schema(request={MEDIA_TYPE: OpenApiTypes.BINARY}, responses={204: None})
    def append(self, request: Request, *_: Any, **__: Any) -> Response:
        """Add bytes at `Upload-Offset`."""
        upload = self._upload()
        _check_version(request)
        offset = _number(request, "Upload-Offset")
        upload = tus.append(upload, offset, _content(request))
        return Response(status=status.HTTP_204_NO_CONTENT, headers=_state(upload))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *_: Any, **__: Any) -> Response:
        """End an upload; its bytes go."""
        upload = self._upload()
        _check_version(request)
        tus.end_upload(upload)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _upload(self) -> Upload:
        found: Upload = get_object_or_404(self.get_queryset(), pk=self.kwargs["pk"])
        return found

    def _confined_to(self) -> Any:
        return getattr(self.user, "confined_to_project_id", None)


def _check_version(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise UserError("tus_version")


def _content(request: Request) -> IO[bytes]:
    data: Any = request.data
    content: IO[bytes] = data["content"]
    return content


def _state(upload: Upload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": http_date(upload.expires_at.timestamp()),
    }


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UserError("upload_header", name=name)
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """Return `key base64,key base64` as a mapping."""
    found = {}
    for pair in filter(None, map(str.strip, header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise UserError("upload_header", name="Upload-Metadata") from error
    return found
