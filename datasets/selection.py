"""Which images of a version pass filters, found without reading what is not shown.

An image never moves in its version, so its position stands in the rows that say what is on it, and
what is odd about it. A filter walks one index in the order of the positions, and looks others up in
indexes that hold all it asks for; the images themselves are read for one page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef

from datasets.models import DatasetClass, DatasetImage, DatasetVersion, ImageClass, ImageProblem


@dataclass(frozen=True)
class Selection:
    """Filters that an image passes all of; without any, all images pass.

    Attributes:
        classes: rows of classes; one of them is on it.
        problem: the code of something odd about it.
        text: its file name contains this.
    """

    version: DatasetVersion
    split: str = ""
    classes: Sequence[DatasetClass] | None = None
    problem: str = ""
    text: str = ""

    def positions(self) -> Any:
        """Return the positions of the images that pass, in their order."""
        named = self._named()
        if not named:
            rows = self._plain()
        else:
            rows = named[0]
            others = named[1:] + ([self._plain()] if self.split or self.text else [])
            for other in others:
                rows = rows.filter(Exists(other.filter(position=OuterRef("position"))))
        places = rows.order_by("position").values_list("position", flat=True)
        # Two classes may be on one image.
        return places.distinct() if self.classes and len(self.classes) > 1 else places

    def images(self) -> Any:
        """Return the images that pass, in their order."""
        rows = DatasetImage.objects.filter(version=self.version).order_by("position")
        if not self._named():
            return self._plain().order_by("position")
        return rows.filter(position__in=self.positions().order_by())

    def images_at(self, positions: Iterable[int]) -> list[Any]:
        """Return images by their positions, with their pictures."""
        rows = DatasetImage.objects.filter(version=self.version, position__in=list(positions))
        return list(rows.select_related("picture").order_by("position"))

    def count(self) -> int:
        """Return how many images pass; what the version knows already is not counted again."""
        known = self.known_count()
        return int(self.positions().count()) if known is None else known

    def known_count(self) -> int | None:
        """Return how many images pass where the version knows it, without looking."""
        if self.text or (self.classes is not None and self.problem):
            return None
        if self.problem:
            return None if self.split else self.version.health["problems"].get(self.problem, 0)
        if self.classes is None:
            return self.version.images_in(self.split)
        if len(self.classes) != 1:
            return None
        row = self.classes[0]
        return int(row.by_split.get(self.split, [0])[0] if self.split else row.images)

    def _named(self) -> list[Any]:
        """Return the rows that name images: those of a class, those of a problem."""
        found: list[Any] = []
        if self.classes is not None:
            found.append(ImageClass.objects.filter(dataset_class__in=self.classes))
        if self.problem:
            found.append(ImageProblem.objects.filter(version=self.version, code=self.problem))
        return found

    def _plain(self) -> Any:
        """Return the images by what stands in their own rows."""
        rows = DatasetImage.objects.filter(version=self.version)
        rows = rows.filter(split=self.split) if self.split else rows
        return rows.filter(file_name__icontains=self.text) if self.text else rows
