"""A version as a ZIP that other tools read, made while it is sent."""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from datasets import export_coco, export_voc, export_yolo
from datasets.models import DatasetVersion
from jobs.errors import UserError
from storage.downloads import stream_zip
from storage.zip_stream import ZipMember

FORMATS: dict[str, Callable[[DatasetVersion], Iterator[ZipMember]]] = {
    "yolo": export_yolo.members,
    "coco": export_coco.members,
    "voc": export_voc.members,
}
_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
}


def content_type_of(name: str) -> str:
    """Return the type of a stored picture, by the suffix that we gave it."""
    return _TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")


def answer(request: HttpRequest, version: DatasetVersion, wanted: str) -> HttpResponseBase:
    """Answer with a version in the wanted format.

    Raises:
        UserError: `format_unavailable`, `version_not_ready`.
    """
    if version.status != DatasetVersion.Status.READY:
        raise UserError("version_not_ready")
    if wanted not in FORMATS:
        raise UserError("format_unavailable", format=wanted[:20])
    name = f"{version.dataset.name} v{version.number} {wanted}.zip"
    return stream_zip(request, FORMATS[wanted](version), filename=name)
