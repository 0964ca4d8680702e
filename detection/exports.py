"""What was found, as CSV, JSON, COCO, or a ZIP of annotated pictures."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from detection import counts, rendering
from detection.models import Detection, DetectionImage
from jobs.errors import UserError
from storage.downloads import stream_zip
from storage.zip_stream import ZipMember

#: What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = ("image", "class_id", "class_name", "confidence", "x1", "y1", "x2", "y2")


def answer(
    request: HttpRequest, detection: Detection, wanted: str, *, conf: float
) -> HttpResponseBase:
    """Answer with a detection in the wanted format.

    Raises:
        UserError: `format_unknown`.
    """
    name = f"detection-{detection.pk}"
    if wanted == "zip":
        return stream_zip(request, _members(detection, conf), filename=f"{name}.zip")
    makers: dict[str, tuple[Callable[[Detection, float], str], str, str]] = {
        "csv": (_csv, "text/csv; charset=utf-8", f"{name}.csv"),
        "json": (_json, "application/json", f"{name}.json"),
        "coco": (_coco, "application/json", f"{name}.coco.json"),
    }
    if wanted not in makers:
        raise UserError("format_unknown", formats="csv, json, coco, zip")
    make, content_type, filename = makers[wanted]
    response = HttpResponse(make(detection, conf), content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, filename)
    return response


def _rows(detection: Detection, conf: float) -> Iterator[tuple[DetectionImage, list[Any]]]:
    for image in detection.images.all():
        yield image, counts.above(image.objects_found, conf)


def _csv(detection: Detection, conf: float) -> str:
    text = io.StringIO()
    # The mark tells spreadsheets that it is UTF-8.
    text.write("\ufeff")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    names = detection.model.classes
    for image, objects in _rows(detection, conf):
        for class_id, *rest in objects:
            name = counts.name_of(names, int(class_id))
            writer.writerow([_harmless(image.file_name), class_id, _harmless(name), *rest])
    return text.getvalue()


def _harmless(text: str) -> str:
    """Return text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json(detection: Detection, conf: float) -> str:
    names = detection.model.classes
    images: list[dict[str, Any]] = [
        {
            "index": image.index,
            "file_name": image.file_name,
            "counts": counts.count(objects, names),
            "objects": [_object(found, names) for found in objects],
        }
        for image, objects in _rows(detection, conf)
    ]
    total = counts.add((one["counts"] for one in images), names)
    return json.dumps({"conf": conf, "counts": total, "images": images}, ensure_ascii=False)


def _object(found: Any, names: list[str]) -> dict[str, Any]:
    class_id, confidence, x1, y1, x2, y2 = found
    return {
        "class_id": class_id,
        "class_name": counts.name_of(names, int(class_id)),
        "confidence": confidence,
        "box": {"x1": x1, "y1": y1, "x2": x2, "y2": y2},
    }


def _coco(detection: Detection, conf: float) -> str:
    """Return COCO JSON: boxes as (x, y, width, height), ids of categories from 1."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image, objects in _rows(detection, conf):
        size = {"width": image.width, "height": image.height}
        images.append({"id": image.index + 1, "file_name": image.file_name, **size})
        for class_id, confidence, x1, y1, x2, y2 in objects:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image.index + 1,
                    "category_id": int(class_id) + 1,
                    "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                    "area": round((x2 - x1) * (y2 - y1), 2),
                    "score": confidence,
                    "iscrowd": 0,
                }
            )
    names = enumerate(detection.model.classes, start=1)
    categories = [{"id": number, "name": name} for number, name in names]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return json.dumps(content, ensure_ascii=False)


def _members(detection: Detection, conf: float) -> Iterator[ZipMember]:
    for image in detection.images.filter(error__isnull=True, width__gt=0):
        stem = image.file_name.rpartition(".")[0] or image.file_name
        try:
            drawn = rendering.annotated_jpeg(image, detection.model.classes, conf)
        except Http404:  # one file that is lost costs only itself
            continue
        yield ZipMember(f"{image.index + 1:04d} {stem}.jpg", iter([drawn]))
    yield ZipMember("counts.csv", iter([_csv(detection, conf).encode("utf-8")]), compress=True)
