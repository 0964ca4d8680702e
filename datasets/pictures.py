"""Pictures from outside, made safe and uniform: checked, upright, 8 bits, without metadata.

In order: the header is checked before any pixel is decoded (format, size, frames); a file that is
in order as it is gets rebuilt without its metadata, loses nothing, and is decoded once, reduced,
which proves that it is whole and gives the thumbnail; everything else (turned by EXIF, CMYK, 16
bits, palette, transparency, WebP, BMP) is decoded and encoded anew. So nothing of a stranger's file
is kept but its coded pixels, and training and browsers see the same picture.

Run it in a process of its own (picture_pool.py): decoders are large, and strangers' files many.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass, field
from typing import Any

from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from datasets.perceptual_hash import perceptual_hash
from datasets.picture_bytes import NotPlain, plain_jpeg, plain_png

#: Other decoders stay shut: each is code that strangers could reach. Pillow knows a format only
#: when its plug-in is loaded, hence the names from there. That of JPEG opens MPO (several views).
FORMATS = (
    JpegImagePlugin.JpegImageFile.format,
    PngImagePlugin.PngImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    BmpImagePlugin.BmpImageFile.format,
)
MAX_PIXELS = 100_000_000
MAX_SIDE = 20_000
#: The trainer refuses smaller ones.
MIN_SIDE = 10
THUMBNAIL_SIDE = 320
#: A thumbnail that a decoder gives for nothing is large enough with this side.
_SMALLEST_SIDE = 280
_QUALITY = 95
_ORIENTATION = 0x0112
_UPRIGHT = 1
#: How parsers fail that strangers feed.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError,
           MemoryError, struct.error, zlib.error)  # fmt: skip


class PictureRefused(Exception):
    """A picture that cannot be used; `code` is one of datasets/errors.py."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class PreparedPicture:
    """A picture ready to be stored, shown and trained on.

    Attributes:
        content: the file, JPEG or PNG.
        suffix: `.jpg` or `.png`.
        content_type: of the file.
        width: in pixels, upright.
        height: in pixels, upright.
        orientation: the EXIF value by which it was turned; boxes of the stored pixels have to be
            turned by it too (boxes.turned). 1: it was upright.
        thumbnail: a JPEG whose longer side has 320 pixels at most.
        perceptual_hash: what it looks like (perceptual_hash.py); None without contrast.
        notes: codes of what was changed: `picture_turned`, `picture_converted`.
    """

    content: bytes
    suffix: str
    content_type: str
    width: int
    height: int
    orientation: int
    thumbnail: bytes
    perceptual_hash: int | None
    notes: tuple[str, ...] = field(default=())


def prepare_picture(data: bytes) -> PreparedPicture:
    """Check a picture and bring it into the form in which it is kept.

    Raises:
        PictureRefused: `picture_unreadable`, `picture_format`, `picture_truncated`,
            `picture_too_large`, `picture_too_small`, `picture_animated`.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    image = _open(data)
    _check_header(image)
    try:
        return _prepare(image, data)
    except _DAMAGE as error:
        raise PictureRefused(_reason(error)) from error


def stored_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a picture as it is stored, from its header alone.

    Raises:
        PictureRefused: it is none, or of another format.
    """
    size: tuple[int, int] = _open(data).size
    return size


def _open(data: bytes) -> Image.Image:
    """Open a picture; no pixel is decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise PictureRefused("picture_too_large") from error
        except UnidentifiedImageError as error:
            raise PictureRefused(_unidentified(data)) from error
        except _DAMAGE as error:
            raise PictureRefused("picture_unreadable") from error


def _unidentified(data: bytes) -> str:
    """Tell a picture of another format from what is no picture; no decoder is asked."""
    starts = (
        b"GIF8",
        b"II*\0",
        b"MM\0*",
        b"8BPS",
        b"\0\0\0\x0cjP  ",
        b"\xff\x0a",
        b"<svg",
        b"<?xml",
    )
    is_other = data.startswith(starts) or data[4:8] == b"ftyp"
    return "picture_format" if is_other else "picture_unreadable"


def _check_header(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise PictureRefused("picture_too_large")
    if min(width, height) < MIN_SIDE:
        raise PictureRefused("picture_too_small")
    # The further pictures of an MPO are other views or previews; the first one is the picture.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise PictureRefused("picture_animated")


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "picture_crashed"
    is_cut_off = "truncated" in str(error).lower() or isinstance(error, EOFError)
    return "picture_truncated" if is_cut_off else "picture_unreadable"


def _prepare(image: Image.Image, data: bytes) -> PreparedPicture:
    orientation = _orientation(image)
    if orientation == _UPRIGHT and (content := _rebuilt(image, data)):
        return _kept(content, image)
    return _encoded(image, data, orientation)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, or upright where it says nothing or nonsense."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        value = exif.get(_ORIENTATION, _UPRIGHT)
    except _DAMAGE:  # no reason to lose the picture
        return _UPRIGHT
    return value if isinstance(value, int) and 1 <= value <= 8 else _UPRIGHT


def _rebuilt(image: Image.Image, data: bytes) -> bytes | None:
    """Return the file without its metadata where its pixels can stay as they are."""
    try:
        if image.format in {"JPEG", "MPO"} and image.mode in {"RGB", "L"}:
            return plain_jpeg(data)
        if image.format == "PNG" and image.mode in {"RGB", "L"} and _has_eight_bits(data):
            return plain_png(data)
    except NotPlain:
        pass
    return None


def _has_eight_bits(png: bytes) -> bool:
    """Tell whether a PNG has 8 bits a channel: Pillow shows 1, 2, 4 and 16 bits as if they were."""
    return png[24] == 8


def _kept(content: bytes, original: Image.Image) -> PreparedPicture:
    image = _open(content)
    if image.size != original.size:
        raise ValueError("rebuilding changed the size")
    is_jpeg = image.format == "JPEG"
    small = _small(image)
    return PreparedPicture(
        content=content,
        suffix=".jpg" if is_jpeg else ".png",
        content_type="image/jpeg" if is_jpeg else "image/png",
        width=original.width,
        height=original.height,
        orientation=_UPRIGHT,
        thumbnail=_thumbnail(small),
        perceptual_hash=perceptual_hash(small),
    )


def _encoded(image: Image.Image, data: bytes, orientation: int) -> PreparedPicture:
    is_lossless = image.format in {"PNG", "BMP"} or data[12:16] == b"VP8L"
    options = _jpeg_options(image)
    pixels = _upright(_eight_bits(image), orientation)
    output = io.BytesIO()
    if is_lossless:
        pixels.save(output, "PNG", compress_level=3)
    else:
        pixels.save(output, "JPEG", **options)
    small = _small(pixels)
    return PreparedPicture(
        content=output.getvalue(),
        suffix=".png" if is_lossless else ".jpg",
        content_type="image/png" if is_lossless else "image/jpeg",
        width=pixels.width,
        height=pixels.height,
        orientation=orientation,
        thumbnail=_thumbnail(small),
        perceptual_hash=perceptual_hash(small),
        notes=("picture_converted",) if orientation == _UPRIGHT else ("picture_turned",),
    )


def _jpeg_options(image: Image.Image) -> dict[str, Any]:
    """Return how to encode so that no more colour is lost than the picture has lost already."""
    sampling = JpegImagePlugin.get_sampling(image) if image.format in {"JPEG", "MPO"} else 0
    return {"quality": _QUALITY, "subsampling": max(0, sampling)}


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return pixels as 8-bit grey or RGB; what is transparent becomes white, as on paper."""
    if image.mode in {"RGB", "L"}:
        image.load()
        return _without_transparent_colour(image)
    if image.mode.startswith("I"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _without_transparent_colour(image: Image.Image) -> Image.Image:
    return _on_white(image.convert("RGBA")) if "transparency" in image.info else image


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    turned = image.transpose(turns[orientation]) if orientation in turns else image
    turned.info = {}
    return turned


def _small(image: Image.Image) -> Image.Image:
    """Return the reduced picture; on the way every coded byte of the picture is read."""
    (width, height), longer = image.size, max(image.size)
    image.draft(None, (_SMALLEST_SIDE * width // longer, _SMALLEST_SIDE * height // longer))
    small = image if image.format == "JPEG" else image.copy()
    # Whole pixels are averaged first, which is quick; only the rest is interpolated.
    side = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    small.thumbnail(side, Image.Resampling.BILINEAR, reducing_gap=1.0)
    return small


def _thumbnail(small: Image.Image) -> bytes:
    output = io.BytesIO()
    small.convert("RGB").save(output, "JPEG", quality=80)
    return output.getvalue()
