"""Pictures as the detector wants them: upright pixels, from files that were made safe before."""

import io
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
#: Of previews: they are encoded once more when something was drawn on them.
_QUALITY = 92


def decode(content: bytes, preview_side: int | None = None) -> tuple[Pixels, bytes | None]:
    """Return a prepared picture, and a JPEG with at most `preview_side` where that is asked for."""
    picture = _picture(io.BytesIO(content))
    pixels = _pixels(picture)
    return pixels, None if preview_side is None else _shrunk(picture, preview_side)


def open_stored(file: Any) -> Pixels:
    """Return a picture that the import has prepared."""
    with file.open("rb") as opened:
        return _pixels(_picture(opened))


def _picture(file: IO[bytes]) -> Image.Image:
    with Image.open(file) as picture:
        picture.load()
        return picture if picture.mode == "RGB" else picture.convert("RGB")


def _pixels(picture: Image.Image) -> Pixels:
    """Return pixels as (height, width, 3), blue-green-red, as the library reads them."""
    blue_first = picture.tobytes("raw", "BGR")
    return np.frombuffer(blue_first, np.uint8).reshape(picture.height, picture.width, 3)


def _shrunk(picture: Image.Image, side: int) -> bytes:
    picture.thumbnail((side, side), reducing_gap=2.0)
    output = io.BytesIO()
    picture.save(output, "JPEG", quality=_QUALITY)
    return output.getvalue()
