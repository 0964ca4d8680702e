"""Pictures as the detector wants them: upright pixels, from bytes that nobody vouches for."""

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def to_pixels(picture: Image.Image) -> Pixels:
    """Return an upright picture as (height, width, 3), blue-green-red, as the library reads it."""
    red_green_blue = np.asarray(picture.convert("RGB"))
    return np.ascontiguousarray(red_green_blue[:, :, ::-1])


def open_stored(file: Any) -> Pixels:
    """Return a picture that the import has verified and turned upright."""
    with file.open("rb") as opened:
        return _decode(opened)


def _decode(file: IO[bytes]) -> Pixels:
    with Image.open(file) as picture:
        return to_pixels(picture)
