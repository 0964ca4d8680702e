"""A version as COCO: a JSON file a split, and the pictures in `images/<split>/`.

The format: https://cocodataset.org/#format-data. The files are written while they are sent, the
images of a split in one pass and their boxes in another, so that nothing grows with the version. A
picture of which nobody knows what is on it lies in the ZIP, but no file names it.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from datasets.export_names import ArchiveNames
from datasets.exporting import images_of, picture_chunks, splits_of
from datasets.materialize import class_names
from datasets.models import DatasetVersion
from storage.zip_stream import ZipMember

_PIXEL_DIGITS = 2


def members(version: DatasetVersion) -> Iterator[ZipMember]:
    """Yield the label files, then the pictures; their names differ over all splits."""
    splits = splits_of(version)
    # Each pass names the pictures anew, in the same order: nothing has to be remembered.
    labels = ArchiveNames()
    for split in splits:
        path = f"annotations/instances_{split}.json"
        yield ZipMember(path, _file(version, split, labels), compress=True)
    pictures = ArchiveNames()
    for split in splits:
        for image in images_of(version, split):
            path = f"images/{split}/{pictures.file_of(image)}"
            yield ZipMember(path, picture_chunks(image))


def _file(version: DatasetVersion, split: str, names: ArchiveNames) -> Iterator[bytes]:
    categories = [
        {"id": index + 1, "name": name, "supercategory": ""}
        for index, name in enumerate(class_names(version))
    ]
    yield f'{{"info": {{}}, "licenses": [], "categories": {_json(categories)}, '.encode()
    yield b'"images": ['
    yield from _listed(_images(version, split, names))
    yield b'], "annotations": ['
    yield from _listed(_annotations(version, split))
    yield b"]}\n"


def _images(version: DatasetVersion, split: str, names: ArchiveNames) -> Iterator[dict[str, Any]]:
    for image in images_of(version, split):
        # Also of one that is not listed: later ones must not take its name.
        file_name = names.file_of(image)
        if image.is_labelled:
            yield {
                "id": image.position + 1,
                "file_name": file_name,
                "width": image.picture.width,
                "height": image.picture.height,
            }


def _annotations(version: DatasetVersion, split: str) -> Iterator[dict[str, Any]]:
    number = 0
    for image in images_of(version, split):
        for index, x1, y1, x2, y2 in image.boxes:
            number += 1
            width, height = round(x2 - x1, _PIXEL_DIGITS), round(y2 - y1, _PIXEL_DIGITS)
            yield {
                "id": number,
                "image_id": image.position + 1,
                "category_id": int(index) + 1,
                "bbox": [x1, y1, width, height],
                "area": round(width * height, _PIXEL_DIGITS),
                "iscrowd": 0,
            }


def _listed(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the rows of a JSON list."""
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n").encode() + _json(row).encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
