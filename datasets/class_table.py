"""How often each class occurs in each split: what the class table of a version shows."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Sum

from datasets.gallery import COLOURS
from datasets.models import DatasetClass, DatasetImage, DatasetVersion, ImageClass


@dataclass
class ClassRow:
    """A class with its boxes and pictures, in all and by split."""

    row: Any
    boxes: dict[str, int] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)

    @property
    def css(self) -> str:
        """The class that carries its colour."""
        return f"class-{self.row.index % COLOURS}"

    @property
    def is_missing_in_validation(self) -> bool:
        """Whether nobody can tell how well it is recognised."""
        return bool(self.row.boxes) and not self.boxes.get(DatasetImage.Split.VAL)


def class_table(version: DatasetVersion) -> list[ClassRow]:
    """Return the classes of a version in their order, by two queries."""
    rows = {row.pk: ClassRow(row) for row in DatasetClass.objects.filter(version=version)}
    uses = ImageClass.objects.filter(dataset_class__version=version).order_by()
    for use in uses.values("dataset_class", "image__split").annotate(
        n_boxes=Sum("boxes"), n_images=Count("pk")
    ):
        row = rows[use["dataset_class"]]
        row.boxes[use["image__split"]] = use["n_boxes"]
        row.images[use["image__split"]] = use["n_images"]
    return list(rows.values())
