"""What a picture's tags and regions mean: boxes in our terms, and what their absence means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from datasets.boxes import MAX_BOXES, Box, is_finite, rounded
from datasets.formats.box_checks import BoxRefused, inside
from datasets.problems import Problems
from datasets.sources.base import LabelState
from datasets.sources.custom_vision.remote import RemoteImage, RemoteRegion, RemoteTag

#: Says that nothing of what is sought is in a picture.
NEGATIVE = "Negative"
#: The catch-all class of the domain for products on shelves.
GENERAL_PRODUCT = "GeneralProduct"


@dataclass
class Labels:
    """Reads the labels of one project's pictures; what it leaves out goes into `problems`."""

    tags: Sequence[RemoteTag]
    problems: Problems
    _index: Mapping[str, int] = field(init=False)
    _negative: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        classes = [tag for tag in self.tags if tag.kind != NEGATIVE]
        self._index = {tag.id: index for index, tag in enumerate(classes)}
        self._negative = frozenset(tag.id for tag in self.tags if tag.kind == NEGATIVE)

    @property
    def class_names(self) -> list[str]:
        """The names of the tags that are classes, in the order of their indexes."""
        return [tag.name for tag in self.tags if tag.kind != NEGATIVE]

    def index_of(self, tag_id: str) -> int | None:
        """Return the class of a tag; nothing for one that is no class."""
        return self._index.get(tag_id)

    def read(self, image: RemoteImage, *, is_tagged: bool) -> tuple[LabelState, tuple[Box, ...]]:
        """Return what is known about a picture, and its boxes.

        Args:
            is_tagged: somebody tagged it; one that is not was taken in as background.
        """
        boxes = tuple(self._boxes(image).values())
        if boxes:
            return LabelState.LABELLED, boxes
        is_negative = any(tag in self._negative for tag in image.tag_ids)
        if not is_tagged or (is_negative and not image.regions):
            return LabelState.BACKGROUND, ()
        self.problems.add("no_label_usable" if image.regions else "tag_without_box", image.id)
        return LabelState.UNLABELLED, ()

    def _boxes(self, image: RemoteImage) -> dict[tuple[float, ...], Box]:
        found: dict[tuple[float, ...], Box] = {}
        for region in image.regions:
            if len(found) >= MAX_BOXES:
                self.problems.add("too_many_boxes", image.id)
                continue
            try:
                box = self._box(region, image.id)
            except BoxRefused as refused:
                self.problems.add(str(refused), image.id)
                continue
            if rounded(box) in found:
                self.problems.add("label_twice", image.id)
            found.setdefault(rounded(box), box)
        return found

    def _box(self, region: RemoteRegion, image_id: str) -> Box:
        index = self._index.get(region.tag_id)
        if index is None:
            raise BoxRefused("region_of_no_tag")
        sides = (region.left, region.top, region.width, region.height)
        if any(not isinstance(side, int | float) for side in sides) or not is_finite(sides):
            raise BoxRefused("label_not_a_number")
        left, top, width, height = sides
        box, was_clipped = inside(Box(index, left, top, left + width, top + height))
        if was_clipped:
            self.problems.add("box_clipped", image_id)
        return box
