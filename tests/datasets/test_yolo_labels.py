"""The lines of a YOLO label file: what is taken, repaired, left out."""

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.boxes import MAX_BOXES, Box, in_pixels, turned
from datasets.formats.yolo_labels import Labels, parse_labels


def parsed(text: str, *, classes: int = 3, has_keypoints: bool = False) -> Labels:
    return parse_labels(text, classes=classes, has_keypoints=has_keypoints)


class TestTaken:
    def test_centre_and_size_become_corners(self) -> None:
        labels = parsed("2 0.5 0.4 0.2 0.6")
        assert labels.boxes == (pytest.approx((2, 0.4, 0.1, 0.6, 0.7)),)
        assert not labels.problems

    @pytest.mark.parametrize(
        "text",
        ["1 0.5 0.5 0.2 0.2\n", "1\t0.5\t0.5\t0.2\t0.2\r\n", "  1 0.5 0.5 0.2 0.2  ",
         "\n\n1 .5 5e-1 +0.2 0.20\n\n", "1.0 0.5 0.5 0.2 0.2"],
    )  # fmt: skip
    def test_all_ways_to_write_it(self, text: str) -> None:
        labels = parsed(text)
        assert labels.boxes == (pytest.approx((1, 0.4, 0.4, 0.6, 0.6)),)
        assert not labels.problems

    def test_a_file_without_lines_says_that_there_is_nothing(self) -> None:
        assert parsed(" \n\r\n") == Labels()

    def test_polygons_become_the_boxes_around_them(self) -> None:
        labels = parsed("0 0.1 0.2 0.5 0.3 0.4 0.9\n1 0.1 0.1 0.3 0.1 0.3 0.4 0.1 0.4")
        assert labels.boxes == ((0, 0.1, 0.2, 0.5, 0.9), (1, 0.1, 0.1, 0.3, 0.4))
        assert labels.problems == {"polygon_boxed": 2}

    @pytest.mark.parametrize("points", ["0.5 0.5", "0.5 0.5 2 0.1 0.1 1"])
    def test_key_points_are_passed_over(self, points: str) -> None:
        labels = parsed(f"0 0.5 0.5 0.2 0.2 {points}", has_keypoints=True)
        assert labels.boxes == (pytest.approx((0, 0.4, 0.4, 0.6, 0.6)),)

    def test_a_confidence_is_passed_over_and_reported(self) -> None:
        labels = parsed("0 0.5 0.5 0.2 0.2 0.87")
        assert len(labels.boxes) == 1
        assert labels.problems == {"confidence_ignored": 1}

    def test_equal_lines_are_taken_once(self) -> None:
        labels = parsed("0 0.5 0.5 0.2 0.2\n0 0.50000001 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2")
        assert [box.class_index for box in labels.boxes] == [0, 1]
        assert labels.problems == {"label_twice": 1}


class TestRepaired:
    def test_what_reaches_out_of_the_picture_is_cut(self) -> None:
        labels = parsed("0 0.05 0.95 0.2 0.2")
        assert labels.boxes == (pytest.approx((0, 0, 0.85, 0.15, 1)),)
        assert labels.problems == {"box_clipped": 1}

    def test_rounding_is_cut_without_a_word(self) -> None:
        labels = parsed("0 0.5 0.5 1.000001 1.0")
        assert labels.boxes == ((0, 0, 0, 1, 1),)
        assert not labels.problems


class TestLeftOut:
    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ("3 0.5 0.5 0.2 0.2", "class_out_of_range"),
            ("-1 0.5 0.5 0.2 0.2", "class_out_of_range"),
            ("0.5 0.5 0.5 0.2 0.2", "class_out_of_range"),
            ("1000000000 0.5 0.5 0.2 0.2", "class_out_of_range"),
            ("9" * 5000 + " 0.5 0.5 0.2 0.2", "label_not_a_number"),
            ("nan 0.5 0.5 0.2 0.2", "label_not_a_number"),
            ("can 0.5 0.5 0.2 0.2", "label_not_a_number"),
            ("0 nan 0.5 0.2 0.2", "label_not_a_number"),
            ("0 0.5 0.5 inf 0.2", "label_not_a_number"),
            ("0 0.5 0.5 1e999 0.2", "label_not_a_number"),
            ("0 0.5 x 0.2 0.2", "label_not_a_number"),
            ("0 0,5 0,5 0,2 0,2", "label_not_a_number"),
            ("0", "label_field_count"),
            ("0 0.5 0.5 0.2", "label_field_count"),
            ("0 0.5 0.5 0.2 0.2 0.1 0.1 0.1", "label_field_count"),
            ("0 0_5 0.5 0.2 0.2", "label_field_count"),
            ("0 320 240 64 48", "label_in_pixels"),
            ("0 10 10 200 10 200 200", "label_in_pixels"),
            ("0 0.5 0.5 0 0.2", "box_without_area"),
            ("0 0.5 0.5 0.2 -0.2", "box_without_area"),
            ("0 0.1 0.2 0.1 0.5 0.1 0.9", "box_without_area"),
            ("0 1.5 0.5 0.2 0.2", "box_outside"),
            ("0 0.5 -0.3 0.2 0.2", "box_outside"),
        ],
    )
    def test_each_with_its_reason_and_line(self, line: str, code: str) -> None:
        labels = parsed(f"0 0.5 0.5 0.2 0.2\n\n{line}\n1 0.5 0.5 0.2 0.2\n")
        assert [box.class_index for box in labels.boxes] == [0, 1]
        assert labels.problems == {code: 1}
        assert labels.first_lines == {code: 3}
        assert labels.lines == 3


class TestLimits:
    def test_very_many_lines_take_seconds_and_bounded_memory(self) -> None:
        lines = "".join(f"0 {0.1 + i * 2e-6:.7f} 0.5 0.1 0.2\n" for i in range(400_000))
        start = time.process_time()
        labels = parsed(lines)
        assert time.process_time() - start < 2
        assert len(labels.boxes) == MAX_BOXES
        assert labels.problems["too_many_boxes"] == 400_000 - MAX_BOXES

    @settings(max_examples=500, deadline=2000)
    @given(st.text(st.sampled_from("0123456789.-+eEnaif \t\n_,x"), max_size=200), st.booleans())
    def test_any_text_gives_boxes_inside_the_picture(self, text: str, has_keypoints: bool) -> None:
        labels = parsed(text, has_keypoints=has_keypoints)
        for box in labels.boxes:
            assert 0 <= box.class_index < 3
            assert 0 <= box.x1 < box.x2 <= 1
            assert 0 <= box.y1 < box.y2 <= 1
        assert len(set(labels.boxes)) == len(labels.boxes)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 2), *[st.floats(0.01, 1)] * 4), max_size=8))
    def test_what_is_written_is_read(
        self, rows: list[tuple[int, float, float, float, float]]
    ) -> None:
        text = "\n".join(" ".join(map(repr, row)) for row in rows)
        expected = {
            (index, max(0, x - w / 2), max(0, y - h / 2), min(1, x + w / 2), min(1, y + h / 2))
            for index, x, y, w, h in rows
        }
        for box in parsed(text).boxes:
            assert any(box == pytest.approx(other) for other in expected)


corner = st.floats(0, 1)
boxes = st.builds(
    lambda c, xs, ys: Box(c, min(xs), min(ys), max(xs), max(ys)),
    st.integers(0, 5), st.tuples(corner, corner), st.tuples(corner, corner),
)  # fmt: skip


class TestBoxes:
    @given(boxes, st.integers(1, 8))
    def test_turning_back_gives_the_same_box(self, box: Box, orientation: int) -> None:
        back = {6: 8, 8: 6}.get(orientation, orientation)
        assert turned(turned(box, orientation), back) == pytest.approx(box)

    @given(boxes, st.integers(1, 8))
    def test_turning_keeps_the_area(self, box: Box, orientation: int) -> None:
        new = turned(box, orientation)
        area = (new.x2 - new.x1) * (new.y2 - new.y1)
        assert math.isclose(area, (box.x2 - box.x1) * (box.y2 - box.y1), abs_tol=1e-9)
        assert new.x1 <= new.x2 and new.y1 <= new.y2

    def test_pixels_are_what_a_row_stores(self) -> None:
        assert in_pixels([Box(3, 0.25, 0.5, 1, 1)], 640, 480) == [[3, 160, 240, 640, 480]]
