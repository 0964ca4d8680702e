"""What people saved of Custom Vision by scripts: pictures, and the JSON of its API beside them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.formats.json_items import JsonBroken, items
from datasets.sources.base import LabelState
from jobs.errors import UserError
from tests.datasets.trees import Understood

_TAGS = [
    {"id": "t-can", "name": "lon", "type": "Regular", "imageCount": 2},
    {"id": "t-none", "name": "Không có", "type": "Negative", "imageCount": 1},
    {"id": "t-box", "name": "hộp", "type": "Regular", "imageCount": 1},
]


def region(tag: str = "t-can", name: str = "lon", **fields: Any) -> dict[str, Any]:
    sides = {"left": 0.1, "top": 0.2, "width": 0.3, "height": 0.4}
    return {"regionId": "r", "tagId": tag, "tagName": name, **sides, **fields}


def image(key: str = "a1", *regions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    uri = f"https://store.invalid/c/i-{key}?sv=1&sig=secret"
    tags = [{"tagId": row["tagId"], "tagName": row["tagName"]} for row in regions]
    found = {"id": key, "width": 100, "height": 50, "originalImageUri": uri, "tags": tags}
    return {**found, "regions": list(regions), **fields}


def of(entries: Any, *pictures: str, **more: Any) -> Understood:
    files = dict.fromkeys(pictures or ("images/a1.jpg",), "")
    return Understood({**files, "images.json": json.dumps(entries), **more})


class TestWhatItReads:
    def test_the_api_own_list_with_its_tags(self) -> None:
        entries = [image("a1", region(), region("t-box", "hộp", left=0.5)), image("b2", region())]
        found = of(entries, "images/a1.jpg", "images/b2.png", **{"tags.json": json.dumps(_TAGS)})
        assert found.classes == ("lon", "hộp")
        record = found.records["images/a1.jpg"]
        assert [tuple(box) for box in record.boxes] == [
            (0, 0.1, 0.2, 0.4, pytest.approx(0.6)),
            (1, 0.5, 0.2, 0.8, pytest.approx(0.6)),
        ]
        assert (record.state, record.tall, record.split) == (LabelState.LABELLED, False, None)
        assert found.dataset.layout["format"] == "custom_vision_files"
        assert found.dataset.layout["names_from"] == "images.json, tags.json"
        assert found.problems == {}

    def test_the_spelling_of_the_sdk(self) -> None:
        row = {"tag_id": "t", "tag_name": "lon", "left": 0, "top": 0, "width": 1, "height": 1}
        found = of([{"id": "a1", "regions": [row], "tags": [{"tag_name": "lon"}]}])
        assert [tuple(box) for box in found.records["images/a1.jpg"].boxes] == [(0, 0, 0, 1, 1)]

    def test_one_object_with_both_lists(self) -> None:
        found = of({"name": "Kệ", "tags": _TAGS, "images": [image("a1", region("t-box", "hộp"))]})
        assert found.classes == ("lon", "hộp")
        assert found.records["images/a1.jpg"].boxes[0][0] == 1
        assert found.problems == {}

    def test_one_file_a_picture(self) -> None:
        files = {f"{key}.jpg": "" for key in ("a1", "b2")}
        labels = {f"{key}.json": json.dumps(image(key, region())) for key in ("a1", "b2")}
        found = Understood({**files, **labels})
        assert all(len(record.boxes) == 1 for record in found.records.values())
        assert found.classes == ("lon",)

    @pytest.mark.parametrize(
        ("fields", "picture"),
        [
            ({"fileName": "Kệ 1.jpg"}, "ảnh/Kệ 1.jpg"),
            ({}, "deep/in/a1.jpeg"),
            ({}, "i-a1.jpg"),  # by the last part of its address
            ({}, "train/a1.jpg"),
        ],
    )
    def test_finds_a_picture_by(self, fields: dict[str, Any], picture: str) -> None:
        found = of([image("a1", region(), **fields)], picture, "zz.jpg")
        assert len(found.records[picture].boxes) == 1
        assert found.splits[picture] == ("train" if picture.startswith("train") else None)

    def test_what_nobody_tagged_and_what_is_empty_on_purpose(self) -> None:
        negative = image("b2", tags=[{"tagId": "t-none", "tagName": "Không có"}])
        only_tag = image("c3", tags=[{"tagId": "t-can", "tagName": "lon"}])
        entries = [image("a1", region()), negative, only_tag, image("d4")]
        pictures = [f"{key}.jpg" for key in ("a1", "b2", "c3", "d4", "e5")]
        found = of(entries, *pictures, **{"tags.json": json.dumps(_TAGS)})
        assert [found.records[path].state for path in pictures] == [
            LabelState.LABELLED,
            LabelState.BACKGROUND,
            LabelState.UNLABELLED,
            LabelState.UNLABELLED,
            LabelState.UNLABELLED,
        ]
        assert found.problems == {"tag_without_box": 1}


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"left": 2.0}, "box_outside"),
            ({"width": 0}, "box_without_area"),
            ({"left": "x"}, "label_not_a_number"),
            ({"width": 3.0}, "box_clipped"),
        ],
    )
    def test_a_region(self, fields: dict[str, Any], code: str) -> None:
        found = of([image("a1", region(), region(**fields))])
        assert found.problems == {code: 1}
        assert code in found.records["images/a1.jpg"].problems

    def test_pictures_that_are_not_there(self) -> None:
        found = of([image("a1", region()), image("gone", region())])
        assert found.problems == {"picture_not_there": 1}
        assert found.examples("picture_not_there") == ["gone"]

    def test_no_picture_fits(self) -> None:
        with pytest.raises(UserError) as raised:
            of([image("zz", region(), originalImageUri="")])
        assert raised.value.code == "no_label_fits"

    def test_a_model_is_no_dataset(self) -> None:
        with pytest.raises(UserError) as raised:
            Understood({"model.onnx": "", "labels.txt": "lon", "cvexport.manifest": "{}"})
        assert raised.value.code == "model_not_pictures"

    def test_other_json_is_not_taken_for_it(self) -> None:
        via = {"a1.jpg1": {"filename": "a1.jpg", "regions": [{"shape_attributes": {}}]}}
        with pytest.raises(UserError) as raised:
            of(via)
        assert raised.value.code == "layout_unknown"

    def test_a_file_that_is_cut_off_loses_what_is_missing_alone(self) -> None:
        whole = json.dumps([image("a1", region()), image("b2", region())])
        found = Understood({"a1.jpg": "", "b2.jpg": "", "x.json": whole[:-40]})
        assert len(found.records["a1.jpg"].boxes) == 1
        assert found.problems["label_file_unreadable"] == 1


_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


class TestItems:
    @given(
        rows=st.lists(st.dictionaries(st.text(max_size=5), _JSON, max_size=4)),
        step=st.integers(1, 9),
    )
    def test_are_those_of_the_list(self, rows: list[dict[str, Any]], step: int) -> None:
        data = json.dumps(rows).encode()
        chunks = [data[start : start + step] for start in range(0, len(data), step)]
        assert [row for _, row in items(chunks)] == rows

    @given(value=_JSON, cut=st.integers(0, 60))
    def test_never_crash(self, value: Any, cut: int) -> None:
        data = json.dumps({"images": [value], "x": value}).encode()[: -cut or None]
        try:
            list(items([data]))
        except JsonBroken:
            assert cut

    @pytest.mark.parametrize(
        "data",
        [
            b"[" * 100,
            b'[{"a": "' + b"x" * (9 << 20),
            b'[{"a": [' + b"1," * 60_000 + b"1]}]",
            b"1e999999",
            b"",
        ],
    )
    def test_refuses_what_has_no_end(self, data: bytes) -> None:
        with pytest.raises(JsonBroken):
            list(items(data[start : start + 65536] for start in range(0, len(data) or 1, 65536)))
