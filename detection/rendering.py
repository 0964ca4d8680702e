"""Draws what was found onto pictures, with a font that has Vietnamese; Pillow alone, no torch.

The web process decodes nothing large: of large pictures the worker has made a preview.
"""

import io
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files import File
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from PIL import Image, ImageColor, ImageDraw, ImageFont

from detection import counts, picture_files
from detection.models import Detection, DetectionImage
from storage.downloads import stream_file

_QUALITY = 88
#: Longest side of a thumbnail in a strip, on screens with two pixels a point.
_THUMBNAIL = 240
#: Pixels that are decoded here of a large picture from before there were previews.
_MOST_PIXELS = 25_000_000
#: Pictures that are decoded at once, however many are asked for.
_decoding = threading.BoundedSemaphore(2)
_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp"}
#: Up to this brightness, white can be read on a colour; on brighter ones black.
_DARK = 104
#: Colours that stand apart on shelves, also for people who confuse red and green.
PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#b8a800",
    "#7b3fa0",
    "#8c564b",
    "#17807e",
)


def colour_of(class_id: int) -> str:
    """Return the colour of a class, the same on every page and picture."""
    return PALETTE[class_id % len(PALETTE)]


def content_type_of(row: DetectionImage) -> str:
    """Return the type of a stored picture, by the suffix that we gave it."""
    return _TYPES.get(PurePosixPath(row.file.name or "").suffix, "application/octet-stream")


def annotated_answer(detection: Detection, row: DetectionImage, conf: float) -> HttpResponse:
    """Answer with a picture on which everything above `conf` is drawn."""
    return _jpeg_answer(annotated_jpeg(row, detection.model.classes, conf))


def thumbnail_answer(request: HttpRequest, row: DetectionImage) -> HttpResponseBase:
    """Answer with a small picture for a strip."""
    stored, name = picture_files.thumbnail_of(row), f"{PurePosixPath(row.file_name).stem}.jpg"
    try:
        return stream_file(
            request,
            stored,
            filename=name,
            content_type="image/jpeg",
            etag=f"{row.pk}-thumbnail",
            inline=True,
            max_age=3600,
        )
    except Http404:  # from before they were stored
        with _decoding:
            return _jpeg_answer(_as_jpeg(_shrunk(row, _THUMBNAIL)))


def _jpeg_answer(content: bytes) -> HttpResponse:
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type="image/jpeg", headers=headers)


def annotated_jpeg(row: DetectionImage, names: Sequence[str], conf: float) -> bytes:
    """Return a picture with boxes, class names and confidences as JPEG.

    Raises:
        Http404: its file is not there, or too large to be decoded here.
    """
    with _decoding:
        picture = _shrunk(row, picture_files.PREVIEW_SIDE)
        scale = picture.width / max(row.width, 1)
        draw_boxes(picture, counts.above(row.objects_found, conf), names, scale=scale)
        return _as_jpeg(picture)


def _shrunk(row: DetectionImage, longest: int) -> Image.Image:
    with _open(row) as file, Image.open(file) as opened:
        # Decodes a large JPEG at an eighth, a quarter or a half. A size of the same shape: for a
        # square one the shorter side would decide.
        share = min(1.0, longest / max(opened.size))
        opened.draft("RGB", (int(opened.width * share), int(opened.height * share)))
        opened.thumbnail((longest, longest))
        return opened.convert("RGB")


def _open(row: DetectionImage) -> File:  # type: ignore[type-arg]
    """Open a picture, or the preview of a large one."""
    suffix = PurePosixPath(row.file.name or "").suffix
    if picture_files.needs_preview(row.width, row.height, suffix):
        preview = picture_files.preview_of(row)
        with suppress(FileNotFoundError):
            return preview.storage.open(preview.name, "rb")
        if row.width * row.height > _MOST_PIXELS:
            raise Http404
    try:
        return row.file.storage.open(row.file.name or "", "rb")
    except FileNotFoundError as error:
        raise Http404 from error


def _as_jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def draw_boxes(
    picture: Image.Image, objects: Sequence[Any], names: Sequence[str], *, scale: float = 1.0
) -> None:
    """Draw onto an RGB picture.

    Args:
        objects: (class_id, confidence, x1, y1, x2, y2), pixels before scaling.
        scale: size of the picture given to the size that the boxes are measured in.
    """
    draw = ImageDraw.Draw(picture)
    unit = max(picture.size) / 100
    width, font = max(2, round(unit / 4)), _font(max(11, round(unit * 1.8)))
    # The surest last: where names lie over one another, its is the one that can be read.
    for class_id, confidence, *xyxy in reversed(objects):
        box = [value * scale for value in xyxy]
        colour = colour_of(int(class_id))
        draw.rectangle(box, outline=colour, width=width)
        label = f"{counts.name_of(names, int(class_id))} {confidence:.0%}"
        _draw_label(draw, label, box, colour, font)


def _draw_label(
    draw: ImageDraw.ImageDraw, label: str, box: list[float], colour: str, font: Any
) -> None:
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
    width, height = right - left + 6, bottom - top + 6
    x = max(0.0, min(box[0], draw.im.size[0] - width))
    y = box[1] - height if box[1] >= height else box[1]
    draw.rectangle((x, y, x + width, y + height), fill=colour)
    draw.text((x + 3 - left, y + 3 - top), label, fill=_ink_on(colour), font=font)


def _ink_on(colour: str) -> str:
    """Return what can be read on a colour: the same as `--class-ink` in boxes.css."""
    brightness: Any = ImageColor.getcolor(colour, "L")
    return "#111111" if brightness > _DARK else "#ffffff"


@cache
def _font(size: int) -> Any:
    return ImageFont.truetype(str(settings.PICTURE_FONT), size)
