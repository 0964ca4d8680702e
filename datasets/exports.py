"""A version as a ZIP that other tools read, made while it is sent."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from datasets.materialize import class_names, data_yaml, label_text
from datasets.models import DatasetImage, DatasetVersion
from jobs.errors import UserError
from storage.downloads import stream_zip
from storage.local import stored_chunks
from storage.zip_stream import ZipMember

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
    if wanted != "yolo":
        raise UserError("format_unavailable", format=wanted[:20])
    name = f"{version.dataset.name} v{version.number} yolo.zip"
    return stream_zip(request, _yolo_members(version), filename=name)


def _yolo_members(version: DatasetVersion) -> Iterator[ZipMember]:
    """Yield `data.yaml`, then each picture with its label, under the name that people know."""
    splits = [split for split in ("train", "val", "test") if getattr(version, f"{split}_images")]
    yaml = data_yaml(class_names(version), splits=splits)
    yield ZipMember("data.yaml", iter([yaml.encode("utf-8")]), compress=True)
    taken: Counter[str] = Counter()
    rows = DatasetImage.objects.filter(version=version).select_related("picture")
    for image in chain.from_iterable(rows.in_chunks()):
        yield from _pair(image, taken)


def _pair(image: DatasetImage, taken: "Counter[str]") -> Iterator[ZipMember]:
    picture: Any = image.picture
    stem = _free_stem(image, taken)
    suffix = PurePosixPath(picture.file.name).suffix
    chunks = stored_chunks(picture.file.storage, picture.file.name)
    yield ZipMember(f"images/{image.split}/{stem}{suffix}", chunks)
    text = label_text(image.boxes, picture.width, picture.height)
    yield ZipMember(f"labels/{image.split}/{stem}.txt", iter([text.encode("ascii")]), compress=True)


def _free_stem(image: DatasetImage, taken: "Counter[str]") -> str:
    """Return the file's name without suffix; a second one of the same name gets a number."""
    stem = PurePosixPath(image.file_name).stem or "image"
    key = f"{image.split}/{stem.casefold()}"
    taken[key] += 1
    return stem if taken[key] == 1 else f"{stem}~{image.position}"
