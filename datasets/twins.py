"""Further records of one picture: what they say is joined when they come, in the memory of one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from datasets.boxes import MAX_BOXES, Box, rounded
from datasets.sources.base import LabelState, PictureRecord

#: `upright` and `tall` of a record.
Sight = tuple[bool, bool | None]
#: [[class_index, x1, y1, x2, y2], …] in pixels.
Rows = Iterable[list[float]]


@dataclass
class Twins:
    """Records whose pictures have the same bytes as an earlier one.

    Attributes:
        keys: of the records.
        is_labelled: whether one of them says what is in the picture.
        left_out: boxes beyond what one picture may have.
        splits: the splits that they brought along, and the name of a file that lies there.
    """

    keys: list[str] = field(default_factory=list)
    is_labelled: bool = False
    left_out: int = 0
    splits: dict[str, str] = field(default_factory=dict)
    _boxes: dict[Sight, dict[tuple[float, ...], Box]] = field(default_factory=dict)

    def add(self, record: PictureRecord) -> None:
        """Take over what a record says."""
        self.keys.append(record.key)
        if record.split:
            self.splits.setdefault(record.split, record.file_name)
        self.is_labelled |= record.state != LabelState.UNLABELLED
        found = self._boxes.setdefault((record.upright, record.tall), {})
        for box in record.boxes:
            key = rounded(box)
            if len(found) < MAX_BOXES:
                found.setdefault(key, box)
            elif key not in found:
                self.left_out += 1

    def boxes(self) -> Iterator[tuple[Sight, tuple[Box, ...]]]:
        """Yield the boxes, equal ones once, by how the picture was seen when they were drawn."""
        for sight, boxes in self._boxes.items():
            yield sight, tuple(boxes.values())


def joined(
    boxes: Iterable[list[float]], more: Iterable[list[float]]
) -> tuple[list[list[float]], int]:
    """Return rows with those that are not among them yet, and how many had no room.

    Args:
        boxes: [class_index, x1, y1, x2, y2] in pixels, as is `more`.
    """
    rows = {tuple(row): row for row in boxes}
    left_out = 0
    for row in more:
        if tuple(row) in rows:
            continue
        if len(rows) < MAX_BOXES:
            rows[tuple(row)] = row
        else:
            left_out += 1
    return list(rows.values()), left_out
