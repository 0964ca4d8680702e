"""COCO files as people have them: several, wrong, huge, hostile."""

import json
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.formats.coco_json import CocoBroken, CocoParser, NotCoco
from datasets.sources.base import LabelState
from jobs.errors import UserError
from tests.datasets.samples import jpeg
from tests.datasets.trees import BOX, Understood

CATEGORIES = [{"id": 1, "name": "lon"}, {"id": 2, "name": "chai"}]


def image(number: int, name: str, **fields: Any) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": 100, "height": 50, **fields}


def annotation(image_id: Any = 1, category: Any = 1, **fields: Any) -> dict[str, Any]:
    return {"image_id": image_id, "category_id": category, "bbox": [10, 10, 20, 10], **fields}


def coco(
    images: list[Any],
    annotations: Sequence[Any] = (),
    categories: Sequence[Any] = CATEGORIES,
) -> str:
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


def of_one(*annotations: dict[str, Any], **fields: Any) -> Understood:
    """Understand a set of one picture."""
    labels = coco([image(1, "a.jpg", **fields)], list(annotations))
    return Understood({"images/a.jpg": "", "labels.json": labels})


class TestBoxes:
    def test_are_shares_of_the_size_that_the_file_says(self) -> None:
        found = of_one(annotation(), annotation(category=2, bbox=[0, 0, 100, 50]))
        record = found.records["images/a.jpg"]
        assert [tuple(box) for box in record.boxes] == [(0, 0.1, 0.2, 0.3, 0.4), (1, 0, 0, 1, 1)]
        assert (record.state, record.split, record.tall) == (LabelState.LABELLED, None, False)
        assert found.classes == ("lon", "chai")
        assert found.problems == {}

    def test_of_a_picture_without_size_stand_on_its_own(self) -> None:
        labels = coco([{"id": 1, "file_name": "a.jpg"}], [annotation()])
        found = Understood({"a.jpg": jpeg((200, 100)), "labels.json": labels})
        assert [tuple(b) for b in found.records["a.jpg"].boxes] == [(0, 0.05, 0.1, 0.15, 0.2)]

    def test_of_a_picture_whose_size_nobody_knows_are_left_out(self) -> None:
        labels = coco([{"id": 1, "file_name": "a.jpg"}], [annotation(), annotation()])
        found = Understood({"a.jpg": "text", "labels.json": labels})
        assert found.problems == {"size_unknown": 2}

    @pytest.mark.parametrize(
        ("fields", "problem", "kept"),
        [
            ({"bbox": [90, 10, 20, 10]}, "box_clipped", 1),
            ({"bbox": [200, 10, 20, 10]}, "box_outside", 0),
            ({"bbox": [10, 10, 0, 10]}, "box_without_area", 0),
            ({"bbox": [10, 10, -5, 10]}, "box_without_area", 0),
            ({"bbox": [10, 10, 5]}, "label_field_count", 0),
            ({"bbox": [10, 10, 5, 5, 0.9]}, "label_field_count", 0),
            ({"bbox": [10, "x", 5, 5]}, "label_not_a_number", 0),
            ({"bbox": None}, "annotation_without_box", 0),
            ({"category_id": 9}, "class_out_of_range", 0),
            ({"iscrowd": 1}, "crowd_left_out", 0),
            ({"bbox": [], "segmentation": [[1, 1, 9, 1, 9, 9]]}, "polygon_boxed", 1),
            ({"bbox": [], "segmentation": {"counts": [1, 2, 3, 4]}}, "annotation_without_box", 0),
        ],
    )  # fmt: skip
    def test_that_are_wrong_are_counted(
        self, fields: dict[str, Any], problem: str, kept: int
    ) -> None:
        found = of_one(annotation(**fields))
        assert found.problems == {problem: 1}
        assert len(found.records["images/a.jpg"].boxes) == kept

    def test_of_polygons_are_around_all_their_parts(self) -> None:
        parts = [[10, 10, 20, 12, 15, 30], [80, 20, 90, 40, 85, 45]]
        found = of_one(annotation(bbox=[], segmentation=parts))
        assert tuple(found.records["images/a.jpg"].boxes[0]) == (0, 0.1, 0.2, 0.9, 0.9)

    def test_mean_the_upright_picture_where_its_sides_say_so(self) -> None:
        assert of_one(annotation(), width=50, height=100).records["images/a.jpg"].tall is True
        assert of_one(annotation(), width=50, height=50).records["images/a.jpg"].tall is None

    def test_none_on_a_listed_picture_is_background_and_an_unlisted_one_is_unlabelled(self) -> None:
        labels = coco([image(1, "a.jpg"), image(2, "b.jpg")], [annotation(), annotation(2, 9)])
        found = Understood({"a.jpg": "", "b.jpg": "", "c.jpg": "", "d.jpg": "", "l.json": labels,
                            "m.json": coco([image(1, "d.jpg")])})  # fmt: skip
        states = {key: record.state for key, record in found.records.items()}
        assert states == {
            "a.jpg": LabelState.LABELLED,
            "b.jpg": LabelState.UNLABELLED,
            "c.jpg": LabelState.UNLABELLED,
            "d.jpg": LabelState.BACKGROUND,
        }


class TestFiles:
    def test_one_for_each_split_with_pictures_of_the_same_names(self) -> None:
        """Roboflow's way."""
        files = {}
        for split, number in (("train", 1), ("valid", 2), ("test", 3)):
            files[f"{split}/a.jpg"] = ""
            files[f"{split}/_annotations.coco.json"] = coco(
                [image(7, "a.jpg")], [annotation(7, bbox=[number, 0, 10, 10])]
            )
        found = Understood(files)
        assert found.splits == {"train/a.jpg": "train", "valid/a.jpg": "val", "test/a.jpg": "test"}
        assert [record.boxes[0].x1 for record in found.records.values()] == [0.01, 0.02, 0.03]
        assert found.problems == {}

    @pytest.mark.parametrize(
        "picture",
        ["train2017/a.jpg", "images/train2017/a.jpg", "images/a.jpg", "data/x/a.jpg", "a.jpg"],
    )
    def test_in_a_folder_of_their_own(self, picture: str) -> None:
        labels = coco([image(1, "a.jpg")], [annotation()])
        found = Understood({picture: "", "annotations/instances_train2017.json": labels})
        assert found.splits == {picture: "train"}
        assert len(found.records[picture].boxes) == 1

    def test_in_one_folder_choose_the_pictures_of_their_split(self) -> None:
        files = {f"images/{split}/a.jpg": "" for split in ("train", "val")}
        for split in ("train", "val"):
            labels = coco([image(1, "a.jpg")], [annotation()])
            files[f"annotations/instances_{split}.json"] = labels
        assert Understood(files).splits == {
            "images/train/a.jpg": "train",
            "images/val/a.jpg": "val",
        }

    @pytest.mark.parametrize(
        "name",
        [
            "images\\\\a b.jpg",
            "/data/upload/1/a b.jpg",
            "C:\\\\x\\\\a b.jpg",
            "a%20b.jpg",
            "./a b.jpg",
        ],
    )
    def test_name_pictures_by_paths_of_other_machines(self, name: str) -> None:
        labels = coco([image(1, name.replace("\\\\", "\\"))], [annotation()])
        found = Understood({"images/a b.jpg": "", "result.json": labels})
        assert len(found.records["images/a b.jpg"].boxes) == 1

    def test_name_pictures_in_decomposed_letters(self) -> None:
        labels = coco([image(1, "ke\u0323\u0302.jpg")], [annotation()])
        assert len(Understood({"kệ.jpg": "", "l.json": labels}).records["kệ.jpg"].boxes) == 1

    def test_that_name_what_is_not_there_or_not_clear(self) -> None:
        labels = coco([image(1, "a.jpg"), image(2, "gone.jpg"), image(3, "b.jpg")], [annotation()])
        found = Understood({"a.jpg": "", "x/b.jpg": "", "y/b.jpg": "", "l.json": labels})
        assert found.problems == {"picture_not_there": 2}
        assert found.examples("picture_not_there") == ["l.json: gone.jpg", "l.json: b.jpg"]

    def test_that_fit_no_picture_say_so(self) -> None:
        with pytest.raises(UserError, match="no_label_fits"):
            Understood({"a.jpg": "", "l.json": coco([image(1, "b.jpg")])})

    def test_of_one_picture_are_joined_by_the_names_of_classes(self) -> None:
        first = coco([image(1, "a.jpg")], [annotation(category=1)])
        other = coco(
            [image(5, "a.jpg")],
            [annotation(5, 1, bbox=[0, 0, 10, 10]), annotation(5, 2), annotation(5, 3)],
            [{"id": 1, "name": "chai"}, {"id": 2, "name": "lon"}, {"id": 3, "name": "hộp"}],
        )
        found = Understood({"a.jpg": "", "1.json": first, "2.json": other})
        assert found.classes == ("lon", "chai", "hộp")
        assert [box.class_index for box in found.records["a.jpg"].boxes] == [0, 1, 2]

    def test_that_are_broken_are_told_and_the_others_taken(self) -> None:
        good = coco([image(1, "a.jpg")], [annotation()])
        found = Understood({"a.jpg": "", "good.json": good, "bad.json": good[:-9]})
        assert found.problems == {"label_file_unreadable": 1}
        assert len(found.records["a.jpg"].boxes) == 1

    def test_that_are_all_broken_end_it(self) -> None:
        with pytest.raises(UserError, match="labels_broken"):
            Understood({"a.jpg": "", "bad.json": coco([image(1, "a.jpg")])[:-9]})

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", "x", '{"shapes": []}', '{"images": 1}', "[[[["]
    )
    def test_of_other_kinds_are_passed_over(self, text: str) -> None:
        found = Understood({"images/a.jpg": "", "labels/a.txt": BOX, "notes.json": text})
        assert found.dataset.layout["format"] == "yolo"


class TestClasses:
    def test_are_in_the_order_of_their_ids(self) -> None:
        categories = [{"id": 10, "name": "b"}, {"id": 9, "name": "a"}, {"id": 11, "name": "unused"}]
        labels = coco([image(1, "a.jpg")], [annotation(category=10)], categories)
        assert Understood({"a.jpg": "", "l.json": labels}).classes == ("a", "b", "unused")

    def test_leave_out_the_one_that_stands_above_all(self) -> None:
        """Roboflow's class 0."""
        categories = [
            {"id": 0, "name": "cells", "supercategory": "none"},
            {"id": 1, "name": "RBC", "supercategory": "cells"},
        ]
        labels = coco([image(1, "a.jpg")], [annotation(category=1)], categories)
        assert Understood({"a.jpg": "", "l.json": labels}).classes == ("RBC",)

    def test_of_one_name_stay_two(self) -> None:
        categories = [{"id": 1, "name": "lon"}, {"id": 2, "name": "lon"}]
        labels = coco([image(1, "a.jpg")], [annotation(), annotation(category=2)], categories)
        assert Understood({"a.jpg": "", "l.json": labels}).classes == ("lon", "lon (2)")


def parse(data: bytes, size: int = 65_536) -> Any:
    parser = CocoParser()
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])
    return parser.close()


class TestHostile:
    @pytest.mark.parametrize(
        "data",
        [
            b'{"images": [], "annotations": ' + b"[" * 100_000,
            b'{"images": [], "annotations": [{"x": "' + b"a" * 20_000_000,
            b'{"images": [], "annotations": [{"id": ' + b"9" * 10_000 + b"}]}",
            b'{"images": [], "annotations": [NaN]}',
            b'{"images": [], "annotations": [{"bbox": [1e999, 0, 1, 1]}]}',
            b'{"images": [], "annotations": []',
        ],
    )
    def test_is_refused(self, data: bytes) -> None:
        with pytest.raises(CocoBroken):
            parse(data)

    def test_memory_does_not_grow_with_what_is_not_kept(self) -> None:
        polygon = ",".join(["1.5"] * 2_000_000)
        data = (
            '{"images": [], "annotations": [{"image_id": 1, "category_id": 1, '
            f'"bbox": [1,1,2,2], "segmentation": [[{polygon}]]}}]}}'
        ).encode()
        tracemalloc.start()
        try:
            found = parse(data)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert found.annotations == 1
        assert most < 12 * 1024 * 1024

    @given(st.binary(max_size=300), st.integers(0, 200), st.integers(1, 50))
    def test_any_change_is_read_or_refused(self, noise: bytes, place: int, size: int) -> None:
        text = coco([image(1, "a.jpg")], [annotation()]).encode()
        with suppress(CocoBroken, NotCoco):
            parse(text[:place] + noise + text[place + len(noise) :], size)
