"""One YOLO label file: lines of a class and a box or polygon in shares of the picture's sides."""

from collections import Counter
from dataclasses import dataclass, field

from datasets.boxes import MAX_BOXES, Box, is_finite, rounded
from datasets.formats.box_checks import BoxRefused, inside

MAX_BYTES = 16 * 1024 * 1024
_MOST_LINES = 50_000
_LONGEST_LINE = 200_000
_BOX_FIELDS = 5
#: Shares never come near this; pixels nearly always go beyond it.
_LARGEST_SHARE = 2.0


@dataclass
class Labels:
    """What a label file says.

    Attributes:
        boxes: the usable boxes, clipped to the picture.
        problems: lines by the code of what was left out or repaired, with the first such line.
        lines: lines with anything on them; none means that nothing is in the picture, on purpose.
    """

    boxes: tuple[Box, ...] = ()
    problems: Counter[str] = field(default_factory=Counter)
    first_lines: dict[str, int] = field(default_factory=dict)
    lines: int = 0

    def note(self, code: str, line: int) -> None:
        """Count a line under a code."""
        self.problems[code] += 1
        self.first_lines.setdefault(code, line)


def parse_labels(text: str, *, classes: int, has_keypoints: bool = False) -> Labels:
    """Return the boxes of a label file and what is wrong with its other lines.

    Args:
        text: the file.
        classes: how many classes there are; an index must be below.
        has_keypoints: further fields of a line are key points, not corners of a polygon.
    """
    labels = Labels()
    found: dict[tuple[float, ...], Box] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        labels.lines += 1
        if len(found) >= MAX_BOXES or number > _MOST_LINES:
            labels.note("too_many_boxes", number)
            continue
        try:
            box = _parse_line(line, number, labels, classes, has_keypoints)
        except BoxRefused as refused:
            labels.note(str(refused), number)
            continue
        if rounded(box) in found:
            labels.note("label_twice", number)
        found.setdefault(rounded(box), box)
    labels.boxes = tuple(found.values())
    return labels


def _parse_line(line: str, number: int, labels: Labels, classes: int, has_keypoints: bool) -> Box:
    index, values = _fields(line)
    if not 0 <= index < classes:
        raise BoxRefused("class_out_of_range")
    if not is_finite(values):
        raise BoxRefused("label_not_a_number")
    box, note = _box(index, values, has_keypoints)
    box = _inside(box, number, labels)
    if note:
        labels.note(note, number)
    return box


def _box(index: int, values: list[float], has_keypoints: bool) -> tuple[Box, str]:
    """Return the box that a line means, and what was done to get it."""
    if has_keypoints or len(values) + 1 == _BOX_FIELDS:
        return _centred(index, values), ""
    if len(values) == _BOX_FIELDS:
        return _centred(index, values), "confidence_ignored"
    if len(values) % 2 == 0:
        return _around(index, values), "polygon_boxed"
    raise BoxRefused("label_field_count")


def _fields(line: str) -> tuple[int, list[float]]:
    tokens = line.split() if len(line) <= _LONGEST_LINE else []
    if len(tokens) < _BOX_FIELDS or "_" in line:
        raise BoxRefused("label_field_count")
    try:
        index, *values = map(float, tokens)
    except ValueError as error:
        raise BoxRefused("label_not_a_number") from error
    if not index.is_integer():
        raise BoxRefused("class_out_of_range" if is_finite([index]) else "label_not_a_number")
    return int(index), values


def _check_shares(values: list[float]) -> None:
    if max(values) > _LARGEST_SHARE or min(values) < 1 - _LARGEST_SHARE:
        raise BoxRefused("label_in_pixels")


def _centred(index: int, values: list[float]) -> Box:
    _check_shares(values[:4])
    x, y, width, height = values[:4]
    if width <= 0 or height <= 0:
        raise BoxRefused("box_without_area")
    return Box(index, x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _around(index: int, values: list[float]) -> Box:
    _check_shares(values)
    xs, ys = values[::2], values[1::2]
    return Box(index, min(xs), min(ys), max(xs), max(ys))


def _inside(box: Box, number: int, labels: Labels) -> Box:
    visible, was_clipped = inside(box)
    if was_clipped:
        labels.note("box_clipped", number)
    return visible
