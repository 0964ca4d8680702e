"""What a picture looks like, in 64 bits: copies of it differ in few of them.

The DCT hash of pHash (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash
Functions, 2010): 32x32 grey pixels, their 8x8 lowest frequencies, a bit each for above or below the
median. Own lines, for ready ones (ImageHash) bring numpy and scipy along, which would be loaded in
each of the processes that decode what strangers send, and be larger than all the rest of them.
"""

import math
from operator import mul

from PIL import Image, ImageStat

_SIDE = 32
_LOW = 8
_BITS = 64
#: Less contrast (standard deviation of the grey values, of 255) is noise: an empty wall is like any
#: other empty wall. Real sets begin at 10.
_FLAT = 4.0
_WAVES = tuple(
    tuple(math.cos(math.pi * (2 * x + 1) * u / (2 * _SIDE)) for x in range(_SIDE))
    for u in range(_LOW)
)


def perceptual_hash(image: Image.Image) -> int | None:
    """Return the hash of a picture as a signed number of 64 bits, as databases keep it.

    Args:
        image: upright; reduced ones give the same.

    Returns:
        None for a picture without contrast, which would be like any other such picture.
    """
    grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    if ImageStat.Stat(grey).stddev[0] < _FLAT:
        return None
    pixels = grey.tobytes()
    rows = [pixels[start : start + _SIDE] for start in range(0, len(pixels), _SIDE)]
    across = [[sum(map(mul, row, wave)) for row in rows] for wave in _WAVES]
    lowest = [sum(map(mul, column, wave)) for wave in _WAVES for column in across]
    middle = sum(sorted(lowest)[_BITS // 2 - 1 : _BITS // 2 + 1]) / 2
    value = sum(1 << place for place, number in enumerate(lowest) if number > middle)
    return value - 2**_BITS if value >> (_BITS - 1) else value
