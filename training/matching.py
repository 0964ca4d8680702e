"""Which true box each prediction finds: plain numbers, no library."""

from collections.abc import Sequence

Box = Sequence[float]

#: From this overlap on a prediction has found a box; what the field calls IoU.
LEAST_OVERLAP = 0.5
NOTHING = -1


def match(predicted: Sequence[Box], true: Sequence[Box]) -> list[int]:
    """Return for each prediction the index of the true box that it finds, or `NOTHING`.

    The surer prediction takes first, and of the boxes of its class that are free the one that it
    overlaps most; so whatever threshold is set later, the matches above it stay as they are.

    Args:
        predicted: rows [class, confidence, x1, y1, x2, y2], the surest first.
        true: rows [class, x1, y1, x2, y2] in the same unit.
    """
    free: dict[int, dict[int, Box]] = {}
    for index, (kind, *corners) in enumerate(true):
        free.setdefault(int(kind), {})[index] = corners
    return [_take(found, free.get(int(found[0]), {})) for found in predicted]


def mistaken(
    predicted: Sequence[Box], true: Sequence[Box], matches: Sequence[int]
) -> list[tuple[int, int]]:
    """Return which prediction without a match stands on which box of another class, as indexes.

    Args:
        matches: of `match`, for these predictions.
    """
    taken = set(matches)
    free = {index: box[1:] for index, box in enumerate(true) if index not in taken}
    pairs = []
    for place, found in enumerate(predicted):
        if matches[place] == NOTHING and (at := _take(found, free)) != NOTHING:
            pairs.append((place, at))
    return pairs


def _take(found: Box, free: dict[int, Box]) -> int:
    """Return the free box that a prediction finds, which is free no more."""
    _kind, _confidence, left, top, right, bottom = found
    best, most = NOTHING, 0.0
    for index, (x1, y1, x2, y2) in free.items():
        # Most boxes of a full shelf are elsewhere.
        if x1 >= right or x2 <= left or y1 >= bottom or y2 <= top:
            continue
        shared = overlap((left, top, right, bottom), (x1, y1, x2, y2))
        if shared >= LEAST_OVERLAP and shared > most:
            best, most = index, shared
    free.pop(best, None)
    return best


def overlap(one: Box, other: Box) -> float:
    """Return the shared area of two boxes over their common area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
