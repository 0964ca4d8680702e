"""Drawn photos of shelves with products, and the truth about them: nothing is downloaded.

`python -m samples.shelf_scenes OUT.zip` writes a data set in the YOLO layout. The same seed gives
the same pictures, on every machine with the same Pillow.
"""

import argparse
import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from PIL import Image

from samples.light import photograph
from samples.placing import Box, fill_shelves, paint, visible_boxes
from samples.products import CLASS_NAMES
from samples.shelves import arrange_boards, draw_shelves

SIZE = (512, 384)
"""Width and height of a picture, in pixels."""

_JPEG_QUALITY = 88
_ZIP_TIME = (2025, 1, 1, 0, 0, 0)


def draw_scene(rng: Random, size: tuple[int, int] = SIZE) -> tuple[Image.Image, list[Box]]:
    """Draw one photo of shelves.

    Args:
        rng: everything that varies comes from here.
        size: width and height, in pixels.

    Returns:
        The picture (RGB), and a box around what can be seen of each product.
    """
    light_side = rng.random()
    boards = arrange_boards(rng, size[1], rows=rng.uniform(1.4, 2.3))
    picture = draw_shelves(rng, size, boards)
    standing, boxes = visible_boxes(fill_shelves(rng, size[0], boards, light_side), size)
    picture = paint(picture, standing, light_side)
    return photograph(rng, picture, light_side), boxes


def write_sample_zip(
    path: Path, *, images: int, seed: int, size: tuple[int, int] = SIZE
) -> dict[str, int]:
    """Write a data set in the YOLO layout: images/, labels/ and data.yaml, not split.

    Args:
        path: of the ZIP; replaced where it exists.
        images: how many.
        size: of each picture, in pixels.

    Returns:
        How many boxes there are of each class, by its name.
    """
    boxes_of = dict.fromkeys(CLASS_NAMES, 0)
    with zipfile.ZipFile(path, "w") as archive:
        _add(archive, "data.yaml", _data_yaml().encode())
        for number in range(1, images + 1):
            picture, boxes = draw_scene(_generator("sample", seed, number), size)
            _add(archive, f"images/kệ-{number:03}.jpg", as_jpeg(picture))
            _add(archive, f"labels/kệ-{number:03}.txt", _label_text(boxes, size).encode())
            for box in boxes:
                boxes_of[box.name] += 1
    return boxes_of


def unseen_scenes(
    *, count: int, seed: int, size: tuple[int, int] = SIZE
) -> Iterator[tuple[Image.Image, list[Box]]]:
    """Yield scenes that are in no sample ZIP, whatever its seed: the picture and its truth."""
    for number in range(1, count + 1):
        yield draw_scene(_generator("unseen", seed, number), size)


def as_jpeg(picture: Image.Image) -> bytes:
    """Return a picture as a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _generator(purpose: str, seed: int, number: int) -> Random:
    """Return a generator for one scene, so that a scene does not depend on those before it."""
    return Random(f"{purpose} {seed} {number}")


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file with a fixed time, so that the same seed gives the same bytes."""
    entry = zipfile.ZipInfo(name, _ZIP_TIME)
    entry.external_attr = 0o644 << 16
    is_picture = name.endswith(".jpg")
    method = zipfile.ZIP_STORED if is_picture else zipfile.ZIP_DEFLATED
    archive.writestr(entry, content, method)


def _data_yaml() -> str:
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(CLASS_NAMES))
    return f"nc: {len(CLASS_NAMES)}\nnames:\n{names}"


def _label_text(boxes: list[Box], size: tuple[int, int]) -> str:
    """Return YOLO lines: class, centre and size as shares of the picture."""
    width, height = size
    return "".join(
        f"{box.class_index} {(box.left + box.right) / 2 / width:.6f} "
        f"{(box.top + box.bottom) / 2 / height:.6f} {(box.right - box.left) / width:.6f} "
        f"{(box.bottom - box.top) / height:.6f}\n"
        for box in boxes
    )


def main() -> None:
    """Write a sample ZIP as the command line asks."""
    parser = argparse.ArgumentParser(description="Draw shelf scenes as a YOLO data set.")
    parser.add_argument("zip", type=Path, help="file to write")
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    began = time.monotonic()
    boxes_of = write_sample_zip(arguments.zip, images=arguments.images, seed=arguments.seed)
    took = time.monotonic() - began
    listed = ", ".join(f"{name} {count}" for name, count in boxes_of.items())
    print(f"{arguments.zip}: {arguments.images} images in {took:.1f} s; boxes: {listed}")


if __name__ == "__main__":
    main()
