"""Brings boxes to the pixels of the upright picture, whichever way they were drawn."""

from collections.abc import Iterable

from datasets.boxes import Box, in_pixels, turned
from datasets.models import Picture
from datasets.twins import Sight

#: The EXIF orientation of a picture that is stored as it is seen.
UPRIGHT = 1
#: From this EXIF value on the stored picture has its sides exchanged.
_LYING = 5


def upright_pixels(
    boxes: Iterable[Box], picture: Picture, orientation: int, sight: Sight
) -> list[list[float]]:
    """Return rows [class_index, x1, y1, x2, y2] in pixels of the upright picture.

    Args:
        boxes: in shares of the sides of the picture as it was seen when they were drawn.
        orientation: the EXIF value by which the file was turned.
        sight: whether it was seen upright, and whether it was higher than wide, where that is said.
    """
    turn = UPRIGHT if _was_upright(picture, orientation, *sight) else orientation
    return in_pixels((turned(box, turn) for box in boxes), picture.width, picture.height)


def tells_turn(picture: Picture, orientation: int, tall: bool | None) -> bool:
    """Tell whether the sides that labels name show which picture they mean: turned or stored."""
    if orientation == UPRIGHT:
        return True
    return orientation >= _LYING and picture.width != picture.height and tall is not None


def _was_upright(picture: Picture, orientation: int, upright: bool, tall: bool | None) -> bool:
    """Tell whether boxes were drawn on the upright picture, and not on the pixels as stored."""
    lies = orientation >= _LYING and picture.width != picture.height
    return upright or (lies and tall == (picture.height > picture.width))
