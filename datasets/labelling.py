"""What an import knows of the labels of its images: boxes in pixels, and what is odd about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from uuid import UUID

from datasets import image_problems
from datasets.adding import Classes
from datasets.boxes import Box, CutBox, distinct
from datasets.image_problems import Corners, Odd
from datasets.models import DatasetImage, DatasetVersion, Picture
from datasets.picture_store import Placed
from datasets.problems import Problems
from datasets.sources.base import LabelState, PictureRecord
from datasets.turning import tells_turn, upright_pixels
from datasets.twins import Sight, Twins, joined

#: [[class_index, x1, y1, x2, y2], …] in pixels.
Rows = list[list[float]]

_CUT = "box_clipped"


@dataclass
class Labelling:
    """Reads the labels of one import's images; what is left out of them goes into `problems`.

    Attributes:
        unlabelled: images of which nobody says what is on them, by digest: where they were.
    """

    version: DatasetVersion
    problems: Problems
    classes: Classes = field(default_factory=Classes)
    unlabelled: dict[str, str] = field(default_factory=dict)
    #: What is odd about images, since it was last written.
    _odd: dict[UUID, dict[str, Sequence[list[float]]]] = field(default_factory=dict)

    def read(self, record: PictureRecord, placed: Placed) -> tuple[Rows, Odd]:
        """Return the boxes of a picture that came in first here, and what is odd about it."""
        picture, orientation = placed.picture, placed.orientation
        sight = (record.upright, record.tall)
        boxes, left_out = distinct(self._rows(record.boxes, picture, orientation, sight))
        odd = dict.fromkeys((*record.problems, *picture.notes, *left_out), Corners())
        for code, count in left_out.items():
            self.problems.add(code, record.key, count)
        if record.boxes and not boxes:
            self._say("no_label_usable", record.key, odd)
        if not boxes and (record.boxes or record.state == LabelState.UNLABELLED):
            self.unlabelled[picture.sha256] = record.key
        if boxes and record.turn_unknown and not tells_turn(picture, orientation, record.tall):
            self._say("picture_turn_doubtful", record.key, odd)
        if cut := self._cut(record.boxes, picture, orientation, sight):
            odd[_CUT] = cut
        return boxes, odd

    def with_twins(self, image: DatasetImage, twins: Twins, orientation: int) -> Rows:
        """Return the boxes of an image with those of its byte-identical twins.

        Args:
            image: with its picture.
            orientation: the EXIF value by which the twins were turned.
        """
        seen = [(found, image.picture, orientation, sight) for sight, found in twins.boxes()]
        came, unusable = distinct(chain(*(self._rows(*one) for one in seen)))
        if count := unusable["box_without_area"]:
            self.problems.add("box_without_area", twins.keys[0], count)
        boxes, left_out = joined(image.boxes, came)
        if left_out := left_out + twins.left_out:
            self.problems.add("too_many_boxes", twins.keys[0], left_out)
        if cut := list(chain(*(self._cut(*one) for one in seen))):
            known = image_problems.codes_of(self.version, [image.pk]).get(image.pk, {})
            self.note(image.pk, {_CUT: [*known.get(_CUT, ()), *cut]})
        return boxes

    def note(self, image: UUID, odd: Odd) -> None:
        """Remember what is odd about an image, until `save`."""
        if odd:
            self._odd.setdefault(image, {}).update(odd)

    def save(self) -> None:
        """Write what was noted, inside the caller's transaction; the images are there by then."""
        image_problems.note(self.version, self._odd)
        self._odd.clear()

    def _say(self, code: str, key: str, odd: dict[str, Corners]) -> None:
        self.problems.add(code, key)
        odd[code] = Corners()

    def _rows(
        self, boxes: Iterable[Box], picture: Picture, orientation: int, sight: Sight
    ) -> list[list[float]]:
        return self.classes.relabelled(upright_pixels(boxes, picture, orientation, sight))

    def _cut(
        self, boxes: Iterable[Box], picture: Picture, orientation: int, sight: Sight
    ) -> Corners:
        """Return the corners of boxes that were cut at the edge, as `_rows` has them."""
        cut = (box for box in boxes if isinstance(box, CutBox))
        return [corners for _, *corners in upright_pixels(cut, picture, orientation, sight)]
