"""Our readers against those of `supervision`, on real sets in three formats, tidy and wild."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision as sv
from PIL import Image

from datasets.sources.zip import ZipSource
from tests.datasets.test_real_sets import SETS

pytestmark = pytest.mark.skipif(not SETS.is_dir(), reason="the shared data sets are not here")

#: By a picture's path in the set, its boxes, sorted: class name and corners in pixels.
Boxes = dict[str, list[tuple[Any, ...]]]


def of_coco(folder: Path) -> sv.DetectionDataset:
    return sv.DetectionDataset.merge([
        sv.DetectionDataset.from_coco(
            str(folder / split), str(folder / f"annotations/instances_{split}.json")
        )
        for split in ("train", "val", "test")
    ])  # fmt: skip


def of_yolo(folder: Path) -> sv.DetectionDataset:
    [described] = folder.rglob("data.yaml")
    splits = [described.parent / name for name in ("train", "valid", "test")]
    return sv.DetectionDataset.merge([
        sv.DetectionDataset.from_yolo(str(split / "images"), str(split / "labels"), str(described))
        for split in splits
        if split.is_dir()
    ])  # fmt: skip


def of_voc(pictures: str, labels: str) -> Callable[[Path], sv.DetectionDataset]:
    return lambda folder: sv.DetectionDataset.from_pascal_voc(
        str(folder / pictures), str(folder / labels)
    )


READERS: dict[str, Callable[[Path], sv.DetectionDataset]] = {
    "bccd/bccd-coco": of_coco,
    "bccd/bccd-yolo": of_yolo,
    "bccd/bccd-voc": of_voc("BCCD/JPEGImages", "BCCD/Annotations"),
    "retail/vn-beer-display-yolo": of_yolo,
    "wild/03-chinese-folders": of_yolo,
    # Polygons among boxes.
    "wild/04-roboflow-seg": of_yolo,
    "wild/05-roboflow-train-only": of_yolo,
    "wild/07-raccoon-voc": of_voc("images", "annotations"),
}


def theirs(found: sv.DetectionDataset, folder: Path) -> Boxes:
    boxes: Boxes = {}
    for path, _, detections in found:
        rows = zip(detections.xyxy, detections.class_id, strict=True)
        named = {(found.classes[int(c)], *(round(float(v), 1) for v in b)) for b, c in rows}
        boxes[Path(path).relative_to(folder).as_posix()] = sorted(filter(is_seen, named))
    return boxes


def ours(archive: Path, folder: Path) -> Boxes:
    boxes: Boxes = {}
    with ZipSource(archive) as source:
        for record in source.records():
            with Image.open(folder / record.key) as picture:
                sides = picture.size * 2
            named = {
                (source.classes[c], *(round(v * side, 1) for v, side in zip(b, sides, strict=True)))
                for c, *b in record.boxes
            }
            boxes[record.key] = sorted(filter(is_seen, named))
    return boxes


def is_seen(row: tuple[Any, ...]) -> bool:
    """Leave out what is a slip of the hand: formats and readers differ in whether it is a box."""
    _, x1, y1, x2, y2 = row
    return bool(x2 - x1 > 1 and y2 - y1 > 1)


@pytest.mark.parametrize("name", READERS)
def test_the_same_boxes_are_read(name: str, tmp_path: Path) -> None:
    archive = SETS / f"{name}.zip"
    with zipfile.ZipFile(archive) as unpacked:
        unpacked.extractall(tmp_path)

    mine, other = ours(archive, tmp_path), theirs(READERS[name](tmp_path), tmp_path)

    assert mine.keys() == other.keys()
    for picture, boxes in mine.items():
        assert [row[0] for row in boxes] == [row[0] for row in other[picture]], picture
        here, there = (np.array([row[1:] for row in found]) for found in (boxes, other[picture]))
        assert np.allclose(here, there, atol=0.51), picture
