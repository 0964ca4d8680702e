"""Reads one COCO file event by event: it may be of any size, and only boxes are kept of it.

The fields are those of https://cocodataset.org/#format-data: `images` (id, file_name, width,
height), `annotations` (image_id, category_id, bbox [x, y, width, height] in pixels, segmentation,
iscrowd) and `categories` (id, name), in any order.
"""

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import ijson

_SECTIONS = frozenset({"images", "annotations", "categories"})
#: What is looked at; all else passes by.
_FIELDS = frozenset(
    {"id", "file_name", "width", "height", "image_id", "category_id", "iscrowd", "name",
     "supercategory"}
)  # fmt: skip
#: No honest file has a value that is longer, or is nested deeper.
_LONGEST_VALUE = 8 * 1024 * 1024
_LONGEST_TEXT = 1000
_DEEPEST = 32
_MOST_IMAGES = 300_000
_MOST_ANNOTATIONS = 3_000_000
_MOST_CATEGORIES = 20_000
#: Depths at which things stand: {"images": [{"id": …, "bbox": [ … ], "segmentation": [[ … ]]}]}
_ROOT, _LIST, _ITEM, _INSIDE = 1, 2, 3, 4


class NotCoco(Exception):
    """The file is something else."""


class CocoBroken(Exception):
    """The file is COCO, but cannot be used."""


@dataclass
class Category:
    """A class of one file."""

    name: str
    supercategory: str = ""
    count: int = 0


@dataclass
class Listed:
    """A picture that a file names.

    Attributes:
        file_name: as it is written there.
        width: in pixels, 0 where the file does not say it.
        height: likewise.
    """

    file_name: str
    width: int = 0
    height: int = 0


@dataclass
class CocoFile:
    """What one file says, in little memory.

    Attributes:
        images: by their ids.
        categories: by their ids.
        left_out: annotations by the code of what was wrong with them.
    """

    images: dict[Any, Listed] = field(default_factory=dict)
    categories: dict[Any, Category] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    _image_numbers: dict[Any, int] = field(default_factory=dict)
    _category_numbers: dict[Any, int] = field(default_factory=dict)
    _of_image: "array[int]" = field(default_factory=lambda: array("l"))
    _of_category: "array[int]" = field(default_factory=lambda: array("l"))
    _boxes: "array[float]" = field(default_factory=lambda: array("d"))
    _order: "array[int]" = field(default_factory=lambda: array("l"))
    _starts: "array[int]" = field(default_factory=lambda: array("l"))

    @property
    def annotations(self) -> int:
        """How many boxes there are."""
        return len(self._of_image)

    def add_annotation(self, image: Any, category: Any, box: tuple[float, ...]) -> None:
        """Take over a box [x, y, width, height] of an image, both named by their ids."""
        self._of_image.append(self._image_numbers.setdefault(image, len(self._image_numbers)))
        numbers = self._category_numbers
        self._of_category.append(numbers.setdefault(category, len(numbers)))
        self._boxes.extend(box)

    def close(self) -> None:
        """Order the boxes by their images; nothing can be added any more."""
        counts = [0] * (len(self._image_numbers) + 1)
        for number in self._of_image:
            counts[number + 1] += 1
        self._starts = array("l", counts)
        for number in range(len(counts) - 1):
            self._starts[number + 1] += self._starts[number]
        places = array("l", self._starts)
        self._order = array("l", bytes(self._of_image.itemsize * len(self._of_image)))
        for position, number in enumerate(self._of_image):
            self._order[places[number]] = position
            places[number] += 1
        self._count_categories()

    def has_boxes(self, image: Any) -> bool:
        """Tell whether an image has annotations."""
        return image in self._image_numbers

    def boxes_of(self, image: Any) -> Iterable[tuple[Any, tuple[float, ...]]]:
        """Yield (category id, [x, y, width, height] in pixels) of an image, in their order."""
        number = self._image_numbers.get(image)
        if number is None:
            return
        ids = list(self._category_numbers)
        for place in range(self._starts[number], self._starts[number + 1]):
            position = self._order[place]
            box = tuple(self._boxes[4 * position : 4 * position + 4])
            yield ids[self._of_category[position]], box

    def _count_categories(self) -> None:
        ids = list(self._category_numbers)
        for number in self._of_category:
            if category := self.categories.get(ids[number]):
                category.count += 1


class CocoParser:
    """Takes the bytes of a file piece by piece."""

    def __init__(self) -> None:
        self.found = CocoFile()
        self._sections: set[str] = set()
        self._depth = 0
        self._section = self._field = ""
        self._item: _Item | None = None
        self._silent_bytes = 0
        self._events: Any = ijson.sendable_list()
        self._parser: Any = ijson.basic_parse_coro(self._events, use_float=True)

    @property
    def is_coco(self) -> bool:
        """Whether what came so far is COCO."""
        return {"images", "annotations"} <= self._sections

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            NotCoco: they are of something else.
            CocoBroken: they cannot be understood.
        """
        try:
            self._parser.send(chunk)
        except (ijson.JSONError, ValueError, OverflowError, StopIteration) as error:
            self._take_events()
            raise self._refused("is no valid JSON") from error
        self._silent_bytes = 0 if self._events else self._silent_bytes + len(chunk)
        if self._silent_bytes > _LONGEST_VALUE:
            raise self._refused("holds a value without end")
        self._take_events()

    def close(self) -> CocoFile:
        """Return what the file says, after its last byte.

        Raises:
            NotCoco: it is something else.
            CocoBroken: its end is missing.
        """
        try:
            self._parser.close()
        except (ijson.JSONError, ValueError, OverflowError, StopIteration) as error:
            raise self._refused("is cut off") from error
        self._take_events()
        if not self.is_coco:
            raise NotCoco
        self.found.close()
        return self.found

    def _refused(self, reason: str) -> Exception:
        return CocoBroken(reason) if self._sections else NotCoco()

    def _take_events(self) -> None:
        for event, value in self._events:
            if event in {"start_map", "start_array"}:
                self._open(event)
            elif event in {"end_map", "end_array"}:
                self._close_one()
            elif event == "map_key":
                self._key(value)
            elif self._item is not None:
                self._item.take(self._depth, self._field, value)
        del self._events[:]

    def _open(self, event: str) -> None:
        self._depth += 1
        if self._depth == _ROOT and event != "start_map":
            raise NotCoco
        if self._depth > _DEEPEST:
            raise self._refused("is nested too deeply")
        if self._depth == _LIST and self._section in _SECTIONS and event == "start_array":
            self._sections.add(self._section)
        elif self._depth == _ITEM and self._section in self._sections and event == "start_map":
            self._item = _Item()
        elif self._depth == _INSIDE and event == "start_map" and self._item is not None:
            self._item.is_run_length |= self._field == "segmentation"

    def _close_one(self) -> None:
        if self._depth == _ITEM and self._item is not None:
            self._add(self._item)
            self._item = None
        self._depth -= 1

    def _key(self, name: str) -> None:
        if self._depth == _ROOT:
            self._section = name[:_LONGEST_TEXT]
        elif self._depth == _ITEM:
            self._field = name[:_LONGEST_TEXT]

    def _add(self, item: "_Item") -> None:
        found = self.found
        if self._section == "images":
            found.images[item.of("id")] = Listed(
                str(item.of("file_name") or ""), _pixels(item.of("width")),
                _pixels(item.of("height")),
            )  # fmt: skip
        elif self._section == "categories":
            name, above = item.of("name"), item.of("supercategory")
            text = "" if name is None else str(name)
            found.categories[item.of("id")] = Category(text, str(above or ""))
        else:
            self._add_annotation(item)
        too_many = (
            len(found.images) > _MOST_IMAGES
            or len(found.categories) > _MOST_CATEGORIES
            or found.annotations > _MOST_ANNOTATIONS
        )
        if too_many:
            raise CocoBroken("names more than can be read")

    def _add_annotation(self, item: "_Item") -> None:
        box, code = item.box()
        if code:
            self.found.left_out[code] = self.found.left_out.get(code, 0) + 1
        if box:
            self.found.add_annotation(item.of("image_id"), item.of("category_id"), box)


class _Item:
    """One image, annotation or category while it is read."""

    def __init__(self) -> None:
        self.is_run_length = False
        self._values: dict[str, Any] = {}
        self._bbox: list[Any] = []
        self._corners = 0
        self._low = [math.inf, math.inf]
        self._high = [-math.inf, -math.inf]

    def of(self, name: str) -> Any:
        """Return a field; texts are cut, so that they can be kept."""
        value = self._values.get(name)
        return value[:_LONGEST_TEXT] if isinstance(value, str) else value

    def take(self, depth: int, name: str, value: Any) -> None:
        """Take over a value that stands at a depth below a field."""
        if depth == _ITEM and name in _FIELDS:
            self._values[name] = value
        elif depth == _INSIDE and name == "bbox" and len(self._bbox) < 5:
            self._bbox.append(value)
        elif depth == _INSIDE + 1 and name == "segmentation" and not self.is_run_length:
            self._take_corner(_number(value))

    def _take_corner(self, value: float) -> None:
        side = self._corners % 2
        self._corners += 1
        self._low[side] = min(self._low[side], value)
        self._high[side] = max(self._high[side], value)

    def box(self) -> tuple[tuple[float, ...], str]:
        """Return [x, y, width, height], and the code of what was wrong or done to get it."""
        if _number(self.of("iscrowd") or 0) == 1:
            return (), "crowd_left_out"
        if self._bbox:
            box = tuple(map(_number, self._bbox))
            if len(box) != 4:
                return (), "label_field_count"
            return (box, "") if all(map(math.isfinite, box)) else ((), "label_not_a_number")
        if self._corners < 4 or self._corners % 2:
            return (), "annotation_without_box"
        around = (*self._low, self._high[0] - self._low[0], self._high[1] - self._low[1])
        if not all(map(math.isfinite, around)):
            return (), "label_not_a_number"
        return around, "polygon_boxed"


def _number(value: Any) -> float:
    if isinstance(value, bool):
        return float(value)
    try:
        return float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return math.nan


def _pixels(value: Any) -> int:
    number = _number(value)
    return int(number) if 0 < number < 1e6 else 0
