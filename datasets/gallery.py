"""The gallery: which pictures of a version are shown, and their boxes as rectangles."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, TypedDict

from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import cached_property

from datasets.image_problems import TITLES
from datasets.models import DatasetClass, DatasetImage, DatasetVersion
from datasets.names import composed
from datasets.selection import Selection

#: As many as boxes.css has colours; box-view.js counts the same way.
COLOURS = 10


@dataclass(frozen=True)
class Rect:
    """A box in pixels of the picture, with its class."""

    class_index: int
    name: str
    x: float
    y: float
    width: float
    height: float

    @property
    def css(self) -> str:
        """The class that carries its colour."""
        return f"class-{self.class_index % COLOURS}"


@dataclass(frozen=True)
class Tile:
    """An image of a version with its rectangles."""

    image: Any
    rects: list[Rect]


@dataclass(frozen=True)
class Problem:
    """Something odd, in words, and how many pictures it is on."""

    code: str
    title: Any
    images: int


@dataclass(frozen=True)
class Filters:
    """What the address asks for: split, class, problem and text; unknown values are ignored."""

    version: DatasetVersion
    params: QueryDict

    @cached_property
    def classes(self) -> list[Any]:
        """Return the classes of the version in their order."""
        return list(DatasetClass.objects.filter(version=self.version))

    @property
    def split(self) -> str:
        """Return the split, or nothing for all."""
        value = self.params.get("split", "")
        return value if value in DatasetImage.Split.values else ""

    @property
    def class_index(self) -> int | None:
        """Return the index of the class, or None for all."""
        return None if self._class is None else self._class.index

    @cached_property
    def _class(self) -> Any:
        known = {str(row.index): row for row in self.classes}
        return known.get(self.params.get("class", ""))

    @cached_property
    def problems(self) -> list[Problem]:
        """Return what is odd in the version, with how many pictures."""
        found = self.version.health.get("problems", {})
        return [Problem(code, TITLES[code], found[code]) for code in TITLES if code in found]

    @property
    def problem(self) -> str:
        """Return the code of a problem, or nothing for all pictures."""
        value = self.params.get("problem", "")
        return value if value in {row.code for row in self.problems} else ""

    @property
    def text(self) -> str:
        """Return what file names must contain."""
        return composed(self.params.get("q", "").strip())[:100]

    @property
    def query(self) -> str:
        """Return the filters as they stand in an address."""
        chosen = QueryDict(mutable=True)
        values = {
            "split": self.split,
            "class": self.class_index,
            "problem": self.problem,
            "q": self.text,
        }
        chosen.update({k: str(v) for k, v in values.items() if v not in ("", None)})
        return chosen.urlencode()

    @cached_property
    def selection(self) -> Selection:
        """Return what passes."""
        classes = None if self._class is None else (self._class,)
        return Selection(self.version, self.split, classes, self.problem, self.text)

    def tile(self, image: Any) -> Tile:
        """Return an image with its boxes as rectangles."""
        names = {row.index: row.name for row in self.classes}
        rects = [
            Rect(int(index), names.get(int(index), "?"), x1, y1, x2 - x1, y2 - y1)
            for index, x1, y1, x2, y2 in image.boxes
        ]
        return Tile(image, rects)


def shape_of(tiles: list[Tile]) -> str:
    """Return the shape that suits most pictures: landscape, square or portrait."""
    if not tiles:
        return "landscape"
    ratios = sorted(tile.image.picture.width / tile.image.picture.height for tile in tiles)
    middle = ratios[len(ratios) // 2]
    if middle < 0.9:
        return "portrait"
    return "square" if middle < 1.15 else "landscape"


@dataclass(frozen=True)
class ClassCount:
    """How many boxes of a class a picture has."""

    index: int
    name: str
    css: str
    count: int


def counts_of(tile: Tile) -> list[ClassCount]:
    """Return the classes on a picture with their counts, most first."""
    counted = Counter((rect.class_index, rect.name, rect.css) for rect in tile.rects)
    return [ClassCount(*key, count) for key, count in counted.most_common()]


def boxes_of(tile: Tile) -> list[dict[str, Any]]:
    """Return the boxes as box-view.js takes them."""
    return [
        {
            "classId": rect.class_index,
            "label": rect.name,
            "x1": rect.x,
            "y1": rect.y,
            "x2": rect.x + rect.width,
            "y2": rect.y + rect.height,
        }
        for rect in tile.rects
    ]


class Place(TypedDict):
    """Where a picture stands in the gallery."""

    number: int
    total: int
    previous_url: str
    next_url: str
    gallery_url: str


def place_of(image: Any, filters: Filters) -> Place:
    """Return the place of an image among those that pass the filters, and its neighbours."""
    places = filters.selection.positions()
    before = places.filter(position__lt=image.position)
    after = places.filter(position__gt=image.position)
    gallery = reverse("datasets:image_list", args=[image.version_id])
    return {
        "number": before.count() + 1,
        "total": filters.selection.count(),
        "previous_url": _address(image, before.last(), filters),
        "next_url": _address(image, after.first(), filters),
        "gallery_url": f"{gallery}?{filters.query}" if filters.query else gallery,
    }


def _address(image: Any, position: int | None, filters: Filters) -> str:
    """Return the address of the image at a position of the same version; nothing for none."""
    if position is None:
        return ""
    other = DatasetImage.objects.only("pk").get(version=image.version_id, position=position)
    url = reverse("datasets:image_detail", args=[other.pk])
    return f"{url}?{filters.query}" if filters.query else url
