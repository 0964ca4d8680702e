"""Exports of the tools that people label with, one by one, as each of them lays its files out."""

import json
from typing import Any

import pytest

from datasets.sources.base import LabelState
from tests.datasets.trees import BOX as YOLO
from tests.datasets.trees import Understood

_XML = """<annotation><folder>{folder}</folder><filename>{name}.jpg</filename>
<source><database>Unknown</database></source>
<size><width>100</width><height>50</height><depth>3</depth></size><segmented>0</segmented>
<object><name>lon</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>
<bndbox><xmin>41</xmin><ymin>21</ymin><xmax>60</xmax><ymax>30</ymax></bndbox></object></annotation>"""


def xml(name: str, folder: str = "") -> str:
    return _XML.format(name=name, folder=folder)


def coco(*names: str, placeholder: bool = False) -> str:
    """Return a COCO file with a can in the middle of each picture."""
    images = [
        {"id": n, "file_name": name, "width": 100, "height": 50} for n, name in enumerate(names)
    ]
    boxes: list[dict[str, Any]] = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [40, 20, 20, 10], "area": 200}
        for n in range(len(names))
    ]
    categories = [{"id": 1, "name": "lon", "supercategory": "hang"}]
    if placeholder:
        categories.insert(0, {"id": 0, "name": "hang", "supercategory": "none"})
    for row in boxes:
        row |= {"iscrowd": 0, "ignore": 0, "segmentation": []}
    return json.dumps(
        {"info": {}, "images": images, "annotations": boxes, "categories": categories}
    )


_ROBOFLOW_YAML = (
    "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 1\nnames: ['lon']\n"
)
_NOTES = '{"categories": [{"id": 0, "name": "lon"}], "info": {"contributor": "Label Studio"}}'

#: The files of an export, and the split that each picture has in it.
EXPORTS: dict[str, tuple[dict[str, str], dict[str, str | None]]] = {
    "label studio, yolo": (
        {
            "classes.txt": "lon\n",
            "notes.json": _NOTES,
            "images/1f2e-a.jpg": "",
            "labels/1f2e-a.txt": YOLO,
        },
        {"images/1f2e-a.jpg": None},
    ),
    "label studio, coco": (
        {"result.json": coco("images/1f2e-a.jpg"), "images/1f2e-a.jpg": ""},
        {"images/1f2e-a.jpg": None},
    ),
    "label studio, coco of windows": (
        {"result.json": coco("images\\1f2e-a.jpg"), "images/1f2e-a.jpg": ""},
        {"images/1f2e-a.jpg": None},
    ),
    "label studio, coco with its own address": (
        {"result.json": coco("/data/upload/3/1f2e-a.jpg"), "images/1f2e-a.jpg": ""},
        {"images/1f2e-a.jpg": None},
    ),
    "label studio, voc": (
        {"Annotations/1f2e-a.xml": xml("1f2e-a", "images"), "images/1f2e-a.jpg": ""},
        {"images/1f2e-a.jpg": None},
    ),
    "cvat, yolo 1.1": (
        {
            "obj.data": "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\n",
            "obj.names": "lon\n",
            "train.txt": "data/obj_train_data/a.jpg\n",
            "obj_train_data/a.jpg": "",
            "obj_train_data/a.txt": YOLO,
        },
        {"obj_train_data/a.jpg": "train"},
    ),
    "cvat, yolo 1.1 with subsets": (
        {
            "obj.data": "classes = 1\ntrain = data/Train.txt\nvalid = data/Validation.txt\n"
            "names = data/obj.names\n",
            "obj.names": "lon\n",
            "Train.txt": "data/obj_Train_data/a.jpg\n",
            "Validation.txt": "data/obj_Validation_data/b.jpg\n",
            "obj_Train_data/a.jpg": "",
            "obj_Train_data/a.txt": YOLO,
            "obj_Validation_data/b.jpg": "",
            "obj_Validation_data/b.txt": YOLO,
        },
        {"obj_Train_data/a.jpg": "train", "obj_Validation_data/b.jpg": "val"},
    ),
    "cvat, ultralytics": (
        {
            "data.yaml": "names:\n  0: lon\npath: .\ntrain: train.txt\nval: val.txt\n",
            "train.txt": "data/images/train/a.jpg\n",
            "val.txt": "data/images/val/b.jpg\n",
            "images/train/a.jpg": "",
            "labels/train/a.txt": YOLO,
            "images/val/b.jpg": "",
            "labels/val/b.txt": YOLO,
        },
        {"images/train/a.jpg": "train", "images/val/b.jpg": "val"},
    ),
    "cvat, coco 1.0": (
        {"annotations/instances_default.json": coco("a.jpg"), "images/default/a.jpg": ""},
        {"images/default/a.jpg": None},
    ),
    "cvat, coco 1.0 with subsets": (
        {
            "annotations/instances_train.json": coco("a.jpg"),
            "images/train/a.jpg": "",
            "annotations/instances_val.json": coco("a.jpg"),
            "images/val/a.jpg": "",
        },
        {"images/train/a.jpg": "train", "images/val/a.jpg": "val"},
    ),
    "cvat, voc 1.1": (
        {
            "Annotations/a.xml": xml("a"),
            "JPEGImages/a.jpg": "",
            "ImageSets/Main/default.txt": "a\n",
            "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\nlon:1,2,3::\n",
        },
        {"JPEGImages/a.jpg": None},
    ),
    "roboflow, yolo": (
        {
            "data.yaml": _ROBOFLOW_YAML,
            "README.roboflow.txt": "x",
            "README.dataset.txt": "x",
            "train/images/a_jpg.rf.1.jpg": "",
            "train/labels/a_jpg.rf.1.txt": YOLO,
            "valid/images/b_jpg.rf.2.jpg": "",
            "valid/labels/b_jpg.rf.2.txt": YOLO,
            "test/images/c.jpg": "",
            "test/labels/c.txt": YOLO,
        },
        {
            "train/images/a_jpg.rf.1.jpg": "train",
            "valid/images/b_jpg.rf.2.jpg": "val",
            "test/images/c.jpg": "test",
        },
    ),
    "roboflow, coco": (
        {
            "train/_annotations.coco.json": coco("a_jpg.rf.1.jpg", placeholder=True),
            "valid/_annotations.coco.json": coco("b_jpg.rf.2.jpg", placeholder=True),
            "train/a_jpg.rf.1.jpg": "",
            "valid/b_jpg.rf.2.jpg": "",
            "README.dataset.txt": "x",
        },
        {"train/a_jpg.rf.1.jpg": "train", "valid/b_jpg.rf.2.jpg": "val"},
    ),
    "roboflow, voc": (
        {
            "train/a_jpg.rf.1.jpg": "",
            "train/a_jpg.rf.1.xml": xml("a_jpg.rf.1"),
            "test/b_jpg.rf.2.jpg": "",
            "test/b_jpg.rf.2.xml": xml("b_jpg.rf.2"),
        },
        {"train/a_jpg.rf.1.jpg": "train", "test/b_jpg.rf.2.jpg": "test"},
    ),
    "roboflow, darknet": (
        {
            "train/a.jpg": "",
            "train/a.txt": YOLO,
            "train/_darknet.labels": "lon\n",
            "valid/b.jpg": "",
            "valid/b.txt": YOLO,
            "valid/_darknet.labels": "lon\n",
        },
        {"train/a.jpg": "train", "valid/b.jpg": "val"},
    ),
}


@pytest.mark.parametrize("tool", EXPORTS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["", "wrapped"])
def test_it_is_understood(tool: str, wrapped: bool) -> None:
    files, splits = EXPORTS[tool]
    prefix = "hang-2026/" if wrapped else ""
    found = Understood({prefix + path: content for path, content in files.items()})
    assert found.splits == {prefix + path: split for path, split in splits.items()}
    for record in found.records.values():
        assert record.state == LabelState.LABELLED
        [box] = record.boxes
        assert found.classes[box.class_index] == "lon"
        assert tuple(box)[1:] == pytest.approx((0.4, 0.4, 0.6, 0.6))
    assert found.problems == {}
