"""What makes a box usable, whatever file it was in."""

from datasets.boxes import Box, CutBox, clipped, overhang

#: Exporters round; a box that sticks out by less is not worth a word.
_ROUNDING = 1e-4


class BoxRefused(Exception):
    """A box that is left out; its text is the code of the reason."""


def inside(box: Box) -> tuple[Box, bool]:
    """Return the part of a box that lies in the picture, and whether it was cut at the edge.

    One that was cut is a `CutBox`: what is done about such boxes later needs to know them.

    Raises:
        BoxRefused: `box_without_area`, `box_outside`.
    """
    if box.x1 >= box.x2 or box.y1 >= box.y2:
        raise BoxRefused("box_without_area")
    visible = clipped(box)
    if visible is None:
        raise BoxRefused("box_outside")
    if overhang(box) > _ROUNDING:
        return CutBox(*visible), True
    return visible, False
