"""Real sets, tidy and wild: what comes in, counted."""

from pathlib import Path
from typing import Any

import pytest

from jobs.states import Status
from tests.datasets.importing import Bring, warnings_of

SETS = Path(__file__).resolve().parents[3] / "shared" / "data" / "datasets"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not SETS.is_dir(), reason="the shared data sets are not here"),
]

#: file: (train, val, test), boxes, classes, problems
WANTED: dict[str, tuple[tuple[int, int, int], int, int, dict[str, int]]] = {
    "bccd/bccd-yolo.zip": ((205, 87, 72), 4886, 3, {"split_leak": 1}),
    "bccd/bccd-coco.zip": ((205, 87, 72), 4886, 3, {"split_leak": 1}),
    "bccd/bccd-voc.zip": ((205, 87, 72), 4886, 3, {"box_without_area": 2, "split_leak": 1}),
    "wild/07-raccoon-voc.zip": ((31, 8, 0), 51, 1, {"picture_twice": 1}),
    "retail/vn-beer-display-yolo.zip": ((186, 12, 0), 2870, 15, {}),
    "wild/01-flat-no-yaml.zip": (
        (32, 8, 0), 44, 1, {"classes_without_names": 1, "picture_converted": 12},
    ),
    "wild/02-class-ids-out-of-range.zip": (
        (20, 12, 8), 39, 3,
        {"class_out_of_range": 22, "no_label_usable": 14, "polygon_boxed": 39,
         "picture_unlabelled": 15, "split_leak": 5},
    ),
    "wild/03-chinese-folders.zip": ((22, 9, 9), 82, 2, {}),
    "wild/04-roboflow-seg.zip": (
        (146, 42, 21), 225, 2, {"polygon_boxed": 221, "label_twice": 8, "split_leak": 1},
    ),
    "wild/05-roboflow-train-only.zip": (
        (8, 4, 0), 16, 9, {"split_folder_missing": 2, "splits_made_anew": 12},
    ),
}  # fmt: skip
REFUSED = {
    "wild/06-git-lfs-pointer.zip": "archive_lfs_pointer",
}


@pytest.mark.parametrize("name", WANTED)
def test_a_set_comes_in_whole(bring: Bring, name: str) -> None:
    splits, boxes, classes, problems = WANTED[name]

    job = bring((SETS / name).read_bytes())

    version: Any = job.version
    assert job.status == Status.SUCCEEDED, job.error
    assert (version.train_images, version.val_images, version.test_images) == splits
    assert version.boxes == boxes
    assert version.classes.count() == classes
    assert warnings_of(job) == problems


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_such_set_says_so(bring: Bring, name: str) -> None:
    job = bring((SETS / name).read_bytes())
    assert (job.status, job.error["code"]) == (Status.FAILED, REFUSED[name])
