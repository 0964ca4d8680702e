"""Pascal VOC files as people have them."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.formats.voc_xml import VocBroken, parse
from datasets.sources.base import LabelState
from jobs.errors import UserError
from tests.datasets.samples import jpeg
from tests.datasets.trees import Understood


def thing(name: str = "lon", box: Any = (11, 11, 30, 20), more: str = "") -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=False)
    corners = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object><name>{name}</name><bndbox>{corners}</bndbox>{more}</object>"


def voc(*objects: str, name: str = "a.jpg", width: Any = 100, height: Any = 50) -> str:
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    head = f"<folder>x</folder><filename>{name}</filename>{size}"
    return f"<annotation>{head}{''.join(objects)}</annotation>"


def of_one(*objects: str, **fields: Any) -> Understood:
    return Understood({"JPEGImages/a.jpg": "", "Annotations/a.xml": voc(*objects, **fields)})


class TestBoxes:
    def test_count_pixels_from_one(self) -> None:
        found = of_one(thing(), thing("chai", (1, 1, 100, 50)))
        record = found.records["JPEGImages/a.jpg"]
        assert [tuple(box) for box in record.boxes] == [(1, 0.1, 0.2, 0.3, 0.4), (0, 0, 0, 1, 1)]
        assert (record.state, record.tall) == (LabelState.LABELLED, False)
        assert found.classes == ("chai", "lon")
        assert found.problems == {}

    def test_that_begin_at_zero_are_taken_so(self) -> None:
        found = of_one(thing(box=(0, 0, 50, 50)))
        assert tuple(found.records["JPEGImages/a.jpg"].boxes[0]) == (0, 0, 0, 0.5, 1)
        assert found.problems == {}

    @pytest.mark.parametrize("size", [{"width": 0, "height": 0}, {"width": "", "height": "x"}])
    def test_of_a_file_without_size_stand_on_the_picture(self, size: dict[str, Any]) -> None:
        files = {"a.jpg": jpeg((200, 100)), "a.xml": voc(thing(), **size)}
        assert tuple(Understood(files).records["a.jpg"].boxes[0]) == (0, 0.05, 0.1, 0.15, 0.2)

    @pytest.mark.parametrize(
        ("item", "problem", "kept"),
        [
            (thing(box=(90, 11, 130, 20)), "box_clipped", 1),
            (thing(box=(200, 11, 230, 20)), "box_outside", 0),
            (thing(box=(30, 11, 11, 20)), "box_without_area", 0),
            (thing(box=("nan", 11, 11, 20)), "label_not_a_number", 0),
            (thing(box=("x", 11, 11, 20)), "label_not_a_number", 0),
            (thing(box=("1_0", 11, 11, 20)), "label_not_a_number", 0),
            (thing(box=(1, 2)), "label_not_a_number", 0),
            ("<object><name>a</name></object>", "annotation_without_box", 0),
            (thing() + thing(), "label_twice", 1),
        ],
    )
    def test_that_are_wrong_are_counted(self, item: str, problem: str, kept: int) -> None:
        found = of_one(item)
        assert found.problems[problem] == 1
        assert len(found.records["JPEGImages/a.jpg"].boxes) == kept

    @pytest.mark.parametrize(
        "polygon",
        [
            "<polygon><x1>11</x1><y1>11</y1><x2>30</x2><y2>11</y2><x3>20</x3><y3>20</y3></polygon>",
            "<polygon><pt><x>11</x><y>11</y></pt><pt><x>30</x><y>20</y></pt></polygon>",
        ],
    )
    def test_of_polygons_are_around_them(self, polygon: str) -> None:
        found = of_one(f"<object><name>lon</name>{polygon}</object>")
        assert tuple(found.records["JPEGImages/a.jpg"].boxes[0]) == (0, 0.1, 0.2, 0.3, 0.4)
        assert found.problems == {"polygon_boxed": 1}

    def test_of_parts_are_no_objects(self) -> None:
        part = "<part><name>hand</name><bndbox><xmin>1</xmin></bndbox></part>"
        found = of_one(thing(more=part))
        assert len(found.records["JPEGImages/a.jpg"].boxes) == 1
        assert found.classes == ("lon",)


class TestFiles:
    def test_without_objects_say_that_there_is_nothing(self) -> None:
        files = {"a.jpg": "", "b.jpg": "", "c.jpg": "", "a.xml": voc(), "b.xml": voc(thing())}
        states = {key: record.state for key, record in Understood(files).records.items()}
        assert states == {
            "a.jpg": LabelState.BACKGROUND,
            "b.jpg": LabelState.LABELLED,
            "c.jpg": LabelState.UNLABELLED,
        }

    @pytest.mark.parametrize(
        "paths",
        [
            ("JPEGImages/a.jpg", "Annotations/a.xml"),
            ("VOC/images/train/a.jpg", "VOC/annotations/train/a.xml"),
            ("train/a.jpg", "train/a.xml"),
            ("ảnh/a.JPG", "nhãn/a.xml"),
            ("x/a.jpg", "xml/0001.xml"),
        ],
    )
    def test_are_found_wherever_they_are(self, paths: tuple[str, str]) -> None:
        found = Understood({paths[0]: "", paths[1]: voc(thing())})
        assert len(found.records[paths[0]].boxes) == 1

    def test_that_are_broken_are_told(self) -> None:
        files = {"a.jpg": "", "b.jpg": "", "a.xml": voc(thing()), "b.xml": "<annotation>"}
        found = Understood(files)
        assert found.problems == {"label_file_unreadable": 1}
        assert found.records["b.jpg"].state == LabelState.UNLABELLED

    def test_that_fit_no_picture_say_so(self) -> None:
        with pytest.raises(UserError, match="no_label_fits"):
            Understood({"a.jpg": "", "annotations/c.xml": voc(thing(), name="c.jpg")})

    def test_among_others_change_nothing(self) -> None:
        found = Understood({"a.jpg": "", "a.txt": "0 0.5 0.5 0.1 0.1", "a.xml": "<project/>"})
        assert found.dataset.layout["format"] == "yolo"


class TestSplits:
    def test_come_from_the_lists(self) -> None:
        files = {f"VOC/JPEGImages/{n}.jpg": "" for n in "abcd"}
        files |= {f"VOC/Annotations/{n}.xml": voc(thing()) for n in "abcd"}
        lists = {"train": "a\n", "val": "b.jpg\r\n", "test": "VOC/JPEGImages/c\n",
                 "trainval": "a\nb\n", "lon_train": "d 1\n"}  # fmt: skip
        files |= {f"VOC/ImageSets/Main/{name}.txt": text for name, text in lists.items()}
        found = Understood(files)
        assert {key[-5]: split for key, split in found.splits.items()} == {
            "a": "train", "b": "val", "c": "test", "d": None,
        }  # fmt: skip

    def test_come_from_folders(self) -> None:
        files = {"train/a.jpg": "", "valid/b.jpg": ""}
        files |= {"train/a.xml": voc(thing()), "valid/b.xml": voc(thing())}
        assert Understood(files).splits == {"train/a.jpg": "train", "valid/b.jpg": "val"}


class TestClasses:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("classes.txt", "thùng\nlon\nchai\n"),
            ("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\n"
             "thùng:1,1,1::\nlon:2,2,2::\nchai:3,3,3::\n"),
        ],
    )  # fmt: skip
    def test_are_in_the_order_of_a_list(self, name: str, text: str) -> None:
        files = {"a.jpg": "", "a.xml": voc(thing(), thing("chai")), name: text}
        assert Understood(files).classes == ("thùng", "lon", "chai")

    def test_that_the_list_lacks_are_not_lost(self) -> None:
        files = {"a.jpg": "", "a.xml": voc(thing(), thing("chai")), "classes.txt": "lon\n"}
        assert Understood(files).classes == ("chai", "lon")


class TestHostile:
    @pytest.mark.parametrize(
        "text",
        [
            '<!DOCTYPE a [<!ENTITY x "1">]><annotation>&x;</annotation>',
            '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>',
            "<annotation>" + "<a>" * 100_000,
            "\0",
            "<?xml version='1.0' encoding='nope'?><annotation/>",
        ],
    )
    def test_is_refused(self, text: str) -> None:
        with pytest.raises(VocBroken):
            parse(text.encode())

    @given(st.binary(max_size=200), st.integers(0, 400))
    def test_any_change_is_read_or_refused(self, noise: bytes, place: int) -> None:
        text = voc(thing()).encode()
        with suppress(VocBroken):
            parse(text[:place] + noise + text[place + len(noise) :])
