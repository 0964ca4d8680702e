"""Our readers against those of `supervision`, on real sets in three formats."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision as sv

from datasets.sources.zip import ZipSource
from tests.datasets.test_real_sets import SETS

pytestmark = pytest.mark.skipif(not SETS.is_dir(), reason="the shared data sets are not here")

#: A picture's boxes, sorted: class name and corners in pixels.
Boxes = dict[str, list[tuple[Any, ...]]]

SIDES = (640, 480, 640, 480)


def of_coco(folder: Path) -> sv.DetectionDataset:
    return sv.DetectionDataset.merge([
        sv.DetectionDataset.from_coco(
            str(folder / split), str(folder / f"annotations/instances_{split}.json")
        )
        for split in ("train", "val", "test")
    ])  # fmt: skip


def of_yolo(folder: Path) -> sv.DetectionDataset:
    return sv.DetectionDataset.merge([
        sv.DetectionDataset.from_yolo(
            *(str(folder / path) for path in (f"{split}/images", f"{split}/labels", "data.yaml"))
        )
        for split in ("train", "valid", "test")
    ])  # fmt: skip


def of_voc(folder: Path) -> sv.DetectionDataset:
    return sv.DetectionDataset.from_pascal_voc(
        str(folder / "BCCD/JPEGImages"), str(folder / "BCCD/Annotations")
    )


READERS: dict[str, Callable[[Path], sv.DetectionDataset]] = {
    "coco": of_coco,
    "yolo": of_yolo,
    "voc": of_voc,
}


def theirs(found: sv.DetectionDataset) -> Boxes:
    boxes: Boxes = {}
    for path, _, detections in found:
        rows = zip(detections.xyxy, detections.class_id, strict=True)
        named = [(found.classes[int(c)], *(round(float(v), 1) for v in b)) for b, c in rows]
        # By its reader's rule a box of one pixel is one; by ours it is a slip of the hand.
        boxes[Path(path).name] = sorted(
            row for row in named if row[3] - row[1] > 1 and row[4] - row[2] > 1
        )
    return boxes


def ours(path: Path) -> Boxes:
    boxes: Boxes = {}
    with ZipSource(path) as source:
        for record in source.records():
            boxes[record.file_name] = sorted(
                (source.classes[c], *(round(v * side, 1) for v, side in zip(b, SIDES, strict=True)))
                for c, *b in record.boxes
            )
    return boxes


@pytest.mark.parametrize("name", READERS)
def test_the_same_boxes_are_read(name: str, tmp_path: Path) -> None:
    archive = SETS / f"bccd/bccd-{name}.zip"
    with zipfile.ZipFile(archive) as unpacked:
        unpacked.extractall(tmp_path)

    mine, other = ours(archive), theirs(READERS[name](tmp_path))

    assert mine.keys() == other.keys()
    for picture, boxes in mine.items():
        assert [row[0] for row in boxes] == [row[0] for row in other[picture]], picture
        here, there = (np.array([row[1:] for row in found]) for found in (boxes, other[picture]))
        assert np.allclose(here, there, atol=0.51), picture
