"""Pictures as the detector wants them: upright pixels, from files that were made safe before."""

import io
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def decode(content: bytes) -> Pixels:
    """Return a prepared picture as (height, width, 3), blue-green-red, as the library reads it."""
    return _pixels(io.BytesIO(content))


def open_stored(file: Any) -> Pixels:
    """Return a picture that the import has prepared."""
    with file.open("rb") as opened:
        return _pixels(opened)


def _pixels(file: IO[bytes]) -> Pixels:
    with Image.open(file) as picture:
        red_green_blue = np.asarray(picture.convert("RGB"))
    return np.ascontiguousarray(red_green_blue[:, :, ::-1])
