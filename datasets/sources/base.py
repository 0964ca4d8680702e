"""What every source gives: classes, and one plain record a picture."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from datasets.boxes import Box
from datasets.problems import Problems
from jobs.errors import UserError

#: A picture of the largest size that is allowed, packed badly.
MAX_PICTURE_BYTES = 64 * 1024 * 1024


class LabelState(StrEnum):
    """What is known about the objects in a picture."""

    LABELLED = "labelled"
    #: Somebody said that there is nothing in it: an empty label file.
    BACKGROUND = "background"
    #: Nobody said anything, or nothing usable.
    UNLABELLED = "unlabelled"


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """A picture of a source, before its bytes are read.

    Attributes:
        key: what the source finds it by; unique in the source and the same at every reading.
        file_name: what people call it: composed Unicode, without folders.
        split: `train`, `val` or `test` where the source says so.
        state: whether the absence of boxes means anything.
        boxes: in shares of the picture's sides.
        upright: the boxes are of the upright picture; otherwise of the pixels as they are stored,
            and they have to be turned along.
        tall: whether the labels say that the picture is higher than wide, where they say it: this
            tells which of the two they mean where the camera was held upright.
        turn_unknown: nobody says which of the two they mean where `tall` does not tell it.
        problems: codes of what is odd about its labels, which `Problems` has counted.
    """

    key: str
    file_name: str
    split: str | None
    state: LabelState
    boxes: tuple[Box, ...]
    upright: bool = False
    tall: bool | None = None
    turn_unknown: bool = False
    problems: frozenset[str] = frozenset()


class SourceLost(UserError):
    """No picture of a source can be had any more: what failed is not one picture."""


@dataclass(frozen=True)
class Counted:
    """What came in, once all of it is there.

    Attributes:
        images: pictures, byte-identical ones once.
        boxes: by the index of their class.
        images_with: pictures that hold a class, by its index.
    """

    images: int
    boxes: tuple[int, ...]
    images_with: tuple[int, ...]


class Source(Protocol):
    """Data that can be imported, already understood.

    Attributes:
        layout: what was understood, as plain JSON for the report.
        classes: names in the order of their indexes.
        total: number of pictures to come.
        problems: what was left out or repaired so far.
    """

    layout: Mapping[str, Any]
    classes: tuple[str, ...]
    total: int
    problems: Problems

    def records(self) -> Iterator[PictureRecord]:
        """Yield the pictures, in the same order at every reading."""

    def read_picture(self, record: PictureRecord) -> bytes:
        """Return the bytes of a picture.

        Raises:
            SourceLost: nor can any other.
            UserError: they cannot be had; the other pictures still can.
        """

    def digest_of(self, record: PictureRecord) -> str | None:
        """Return the digest of a picture that the project has already; it need not be read."""

    def closing(self, counted: Counted) -> None:
        """Hear what came in; the source may have more to report then."""
