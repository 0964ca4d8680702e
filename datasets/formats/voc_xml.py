"""One Pascal VOC file: a picture's size and its objects."""

import math
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

_LONGEST_TEXT = 1000
_MOST_OBJECTS = 20_000


class VocBroken(Exception):
    """The file is something else, or damaged."""


#: By which our own exports are known: in them a box means what it says, to the hundredth.
OWN_DATABASE = "CVTrainer"


@dataclass(frozen=True, slots=True)
class VocObject:
    """An object.

    Attributes:
        name: its class.
        corners: x1, y1, x2, y2 in pixels from 0; empty where they cannot be used.
        code: what was wrong, or done to get them.
    """

    name: str
    corners: tuple[float, ...]
    code: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a file says; width and height are 0 where it does not."""

    file_name: str
    width: int
    height: int
    objects: tuple[VocObject, ...]


def parse(data: bytes) -> Annotation:
    """Return what a file says.

    Raises:
        VocBroken: it is no VOC file, is damaged, or holds entities.
    """
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise VocBroken from error
    if root.tag != "annotation":
        raise VocBroken
    objects = root.findall("object")[:_MOST_OBJECTS]
    is_exact = _text(root, "source/database") == OWN_DATABASE
    return Annotation(
        _text(root, "filename"),
        _side(root, "size/width"),
        _side(root, "size/height"),
        tuple(_exact(element) if is_exact else _object(element) for element in objects),
    )


def _exact(element: Element) -> VocObject:
    """Return an object of our own export, where a box may be narrower than a pixel."""
    name = _text(element, "name")
    x1, y1, x2, y2 = (_number(element, f"bndbox/{s}") for s in ("xmin", "ymin", "xmax", "ymax"))
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return VocObject(name, (), "label_not_a_number")
    return VocObject(name, (x1 - 1, y1 - 1, x2, y2))


def _object(element: Element) -> VocObject:
    name = _text(element, "name")
    box = element.find("bndbox")
    if box is not None:
        corners = tuple(_number(box, side) for side in ("xmin", "ymin", "xmax", "ymax"))
        return _checked(name, corners, "")
    polygon = element.find("polygon")
    if polygon is None:
        return VocObject(name, (), "annotation_without_box")
    xs = [_float(point.text) for point in polygon if point.tag.startswith("x")]
    ys = [_float(point.text) for point in polygon if point.tag.startswith("y")]
    if not xs or not ys:
        # LabelMe's way: <pt><x/><y/></pt>
        xs = [_number(point, "x") for point in polygon.findall("pt")]
        ys = [_number(point, "y") for point in polygon.findall("pt")]
    if not xs or not ys:
        return VocObject(name, (), "annotation_without_box")
    return _checked(name, (min(xs), min(ys), max(xs), max(ys)), "polygon_boxed")


def _checked(name: str, corners: tuple[float, ...], code: str) -> VocObject:
    if not all(map(math.isfinite, corners)):
        return VocObject(name, (), "label_not_a_number")
    x1, y1, x2, y2 = corners
    if x1 >= x2 or y1 >= y2:  # one pixel by the letter, a slip of the hand in truth
        return VocObject(name, (), "box_without_area")
    return VocObject(name, (_edge(x1), _edge(y1), x2, y2), code)


def _edge(first: float) -> float:
    """Return the edge before a pixel: they count from 1 here, though some programs begin at 0."""
    return first - 1 if first >= 1 else first


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()[:_LONGEST_TEXT]


def _number(element: Element, path: str) -> float:
    return _float(element.findtext(path))


def _float(text: str | None) -> float:
    try:
        return float(text or "") if "_" not in (text or "") else math.nan
    except ValueError:
        return math.nan


def _side(root: Element, path: str) -> int:
    number = _number(root, path)
    return int(number) if 0 < number < 1e6 else 0
