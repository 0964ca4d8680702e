"""The images of an import so far: what splitting and joining them needs, in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from datasets.models import DatasetImage
from datasets.split import SplitItem

#: [class_index, x1, y1, x2, y2] in pixels.
Row = Sequence[float]


@dataclass
class Arrived:
    """Images by the digest of their pictures' bytes.

    Attributes:
        items: the classes in them, and the split that they brought along.
        rows: their keys.
        hashes: the perceptual hashes of their pictures.
    """

    items: dict[str, SplitItem] = field(default_factory=dict)
    rows: dict[str, UUID] = field(default_factory=dict)
    hashes: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.items)

    @property
    def brings_split(self) -> bool:
        """Whether one of them says where it belongs."""
        return any(item.given for item in self.items.values())

    def add(self, image: DatasetImage, side: str | None) -> None:
        """Note an image, with its picture.

        Args:
            side: the split that it brought along.
        """
        sha256 = image.picture.sha256
        self.items[sha256] = SplitItem(sha256, _classes(image.boxes), side)
        self.rows[sha256] = image.pk
        if image.picture.perceptual_hash is not None:
            self.hashes[sha256] = image.picture.perceptual_hash

    def relabel(self, sha256: str, boxes: Iterable[Row]) -> None:
        """Note that an image has other boxes now."""
        self.items[sha256] = SplitItem(sha256, _classes(boxes), self.items[sha256].given)


def _classes(boxes: Iterable[Row]) -> frozenset[int]:
    return frozenset(int(row[0]) for row in boxes)
