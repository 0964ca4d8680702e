"""How often each class occurs in each split: what the class table of a version shows."""

from dataclasses import dataclass
from typing import Any

from datasets.gallery import COLOURS
from datasets.models import DatasetClass, DatasetImage, DatasetVersion


@dataclass
class ClassRow:
    """A class with its boxes and pictures, in all and by split."""

    row: Any

    @property
    def images(self) -> dict[str, int]:
        """How many pictures it is on, by split."""
        return {split: images for split, (images, _) in self.row.by_split.items()}

    @property
    def boxes(self) -> dict[str, int]:
        """How many boxes it has, by split."""
        return {split: boxes for split, (_, boxes) in self.row.by_split.items()}

    @property
    def css(self) -> str:
        """The class that carries its colour."""
        return f"class-{self.row.index % COLOURS}"

    @property
    def is_missing_in_validation(self) -> bool:
        """Whether nobody can tell how well it is recognised."""
        return bool(self.row.boxes) and not self.boxes.get(DatasetImage.Split.VAL)


def class_table(version: DatasetVersion) -> list[ClassRow]:
    """Return the classes of a version in their order, by one query."""
    return [ClassRow(row) for row in DatasetClass.objects.filter(version=version)]
