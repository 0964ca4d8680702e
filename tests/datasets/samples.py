"""Pictures as bytes, of every kind that people upload, for the tests of the import."""

import io
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw

#: Where the red mark is, as shares of the sides: in the upper left, wider than high.
MARK = (0.1, 0.2, 0.4, 0.3)
SIZE = (120, 80)


def picture(size: tuple[int, int] = SIZE, *, mode: str = "RGB") -> Image.Image:
    """Return grey pixels with a red mark at MARK."""
    image = Image.new("RGB", size, (90, 90, 90))
    x1, y1, x2, y2 = MARK
    corners = (x1 * size[0], y1 * size[1], x2 * size[0] - 1, y2 * size[1] - 1)
    ImageDraw.Draw(image).rectangle(corners, fill=(255, 0, 0))
    return image.convert(mode)


def encoded(image: Image.Image | None = None, kind: str = "JPEG", **options: Any) -> bytes:
    """Return an image as a file."""
    output = io.BytesIO()
    (image or picture()).save(output, kind, **options)
    return output.getvalue()


def jpeg(size: tuple[int, int] = SIZE, **options: Any) -> bytes:
    """Return an ordinary JPEG."""
    return encoded(picture(size), "JPEG", **{"quality": 90, **options})


def with_orientation(image: Image.Image, orientation: int, kind: str = "JPEG") -> bytes:
    """Return an image with the EXIF orientation and a position in its metadata."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[2] = (10.0, 46.0, 37.0)
    return encoded(image, kind, exif=exif, **({"quality": 95} if kind != "PNG" else {}))


def turned_away(image: Image.Image, orientation: int) -> Image.Image:
    """Return the pixels as a camera stores them that says `orientation`."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return image.transpose(back[orientation]) if orientation in back else image


def png_claiming(width: int, height: int) -> bytes:
    """Return a small PNG whose header claims any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))
        )

    header = struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def mark_of(image: Image.Image) -> tuple[float, float, float, float]:
    """Return where the red mark is, as shares of the sides."""
    red, green, _ = image.convert("RGB").split()
    is_red = Image.merge(
        "RGB",
        (
            red.point(lambda v: v > 170 and 255),
            green.point(lambda v: v < 85 and 255),
            red.point(lambda v: 255),
        ),
    )
    box = is_red.convert("RGB")
    mask = Image.composite(box.getchannel(0), Image.new("L", image.size), box.getchannel(1))
    found = mask.getbbox()
    assert found, "there is no mark"
    x1, y1, x2, y2 = found
    return x1 / image.width, y1 / image.height, x2 / image.width, y2 / image.height
