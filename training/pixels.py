"""A picture as the trainer reads it: decoded, upright, at training size, in a file of its own.

A head of 128 bytes says what it was made of and how; behind it lie the rows of pixels (8 bits of
blue, green and red), or a JPEG of them where a version is too large for that. The digest in the
head is of everything else in the file, so that a flipped or missing byte is found.

Nothing here imports Django, numpy or cv2: who makes, keeps and reads such files shares it.
"""

import hashlib
import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self

SUFFIX = ".pixels"
#: Counts up where the same picture would come out differently.
RECIPE = 1
HEAD_SIZE = 128
_HEAD = struct.Struct("<8sBB6xIIIIQ32s")
_DIGEST = hashlib.sha256
_MAGIC = b"CVPIXEL\n"
_CHUNK = 1024 * 1024
_CHANNELS = 3


class PixelsDamaged(Exception):
    """The file is not what was written."""


class Form(IntEnum):
    """How the pixels are kept."""

    #: As they are: nothing is lost, and nothing has to be decoded.
    PLAIN = 0
    #: As a JPEG of high quality: a fifth of the space, a few milliseconds more each time.
    JPEG = 1


@dataclass(frozen=True)
class Head:
    """What the head of a file says.

    Attributes:
        source: SHA-256, in hexadecimal, of the file that the picture was made of.
        original: height and width of the picture there.
        shape: height and width of the picture here.
        length: bytes behind the head.
    """

    form: Form
    source: str
    original: tuple[int, int]
    shape: tuple[int, int]
    length: int

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a head.

        Raises:
            PixelsDamaged: it is none.
        """
        try:
            magic, recipe, form, *sides, length, source = _HEAD.unpack_from(data)
            height, width, rows, columns = sides
            head = cls(Form(form), source.hex(), (height, width), (rows, columns), length)
        except (struct.error, ValueError) as error:
            raise PixelsDamaged("no head") from error
        if magic != _MAGIC or recipe != RECIPE or not head._is_possible():
            raise PixelsDamaged("another head")
        return head

    def _is_possible(self) -> bool:
        return self.form != Form.PLAIN or self.length == plain_length(self.shape)

    def packed(self) -> bytes:
        """Return the head without its digest."""
        source = bytes.fromhex(self.source)
        numbers = (*self.original, *self.shape, self.length)
        return _HEAD.pack(_MAGIC, RECIPE, self.form, *numbers, source)


def plain_length(shape: tuple[int, int]) -> int:
    """Return how many bytes the pixels of a picture take."""
    return shape[0] * shape[1] * _CHANNELS


def scaled(original: tuple[int, int], size: int) -> tuple[int, int]:
    """Return height and width with the longer side at a size, rounded as the library does it."""
    share = size / max(original)
    if share == 1:
        return original
    height, width = (min(math.ceil(side * share), size) for side in original)
    return height, width


def fitted(original: tuple[int, int], size: int) -> tuple[int, int]:
    """Return height and width of a picture that is shrunk to a size, where it is larger."""
    return scaled(original, size) if max(original) > size else original


def file_content(head: Head, pixels: bytes) -> list[bytes]:
    """Return the parts of a file."""
    packed = head.packed()
    digest = _DIGEST(packed)
    digest.update(pixels)
    return [(packed + digest.digest()).ljust(HEAD_SIZE, b"\0"), pixels]


def check_file(path: Path, source: str) -> None:
    """Read a file whole, and make sure that it is as it was written and of this picture.

    Raises:
        PixelsDamaged: it is not.
        OSError: it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        start = file.read(HEAD_SIZE)
        head = Head.from_bytes(start)
        digest, length = _DIGEST(start[: _HEAD.size]), 0
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            length += len(chunk)
    written = start[_HEAD.size : _HEAD.size + digest.digest_size]
    if (length, digest.digest(), head.source) != (head.length, written, source):
        raise PixelsDamaged("another content")
