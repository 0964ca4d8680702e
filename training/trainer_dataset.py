"""The training library's data set over prepared pictures: mapped into memory, never decoded twice.

The pixels are those that the library would have made of the pictures each time, and it takes them
in the same order, so that a training is the same to the last bit. What is mapped belongs to the
system's file cache: all loaders of all runs on a host share it, and it makes way where memory is
needed. Nobody can write to it.
"""

import mmap
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_file_speeds

from training.pixels import HEAD_SIZE, SUFFIX, Form, Head, PixelsDamaged, scaled
from training.trainer_failures import Failure
from training.trainer_format import QuickFormat

Shape = tuple[int, int]
Pixels = NDArray[np.uint8]


def read_picture(path: str) -> tuple[Pixels, Shape]:
    """Return the pixels of a prepared picture, not to be written to, and its original shape.

    Raises:
        PixelsDamaged: the file is no whole prepared picture.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # A shorter file than its head says would end this process at the missing page.
        size = os.fstat(descriptor).st_size
        if size <= HEAD_SIZE:
            raise PixelsDamaged("cut off")
        content = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)
    head = Head.from_bytes(content[:HEAD_SIZE])
    if size != HEAD_SIZE + head.length:
        raise PixelsDamaged("cut off")
    pixels: Any = np.frombuffer(content, np.uint8, offset=HEAD_SIZE)
    if head.form == Form.PLAIN:
        return pixels.reshape(*head.shape, 3), head.original
    return _decoded(pixels, head), head.original


def _decoded(coded: Pixels, head: Head) -> Pixels:
    pixels: Any = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    if pixels is None or pixels.shape[:2] != head.shape:
        raise PixelsDamaged("no picture")
    return pixels  # type: ignore[no-any-return]


def check_picture(path: str) -> tuple[str, Shape]:
    """Return nothing to complain about, and the original shape, as the library's `check_image`.

    Its own reads any kind of picture, and writes those anew that it takes for damaged.
    """
    with Path(path).open("rb") as file:
        return "", Head.from_bytes(file.read(HEAD_SIZE)).original


class PreparedDataset(YOLODataset):  # type: ignore[misc]
    """The library's data set, with all that touches files of pictures replaced."""

    format_class = QuickFormat

    def get_img_files(self, img_path: Any) -> list[str]:
        """Return the prepared pictures of a folder; nothing else is looked at."""
        with os.scandir(img_path) as entries:
            found = sorted(entry.path for entry in entries if entry.name.endswith(SUFFIX))
        # It draws random numbers, too: without it a training would be another one.
        check_file_speeds(found, prefix=self.prefix)
        return found

    def load_image(
        self, i: int, rect_mode: bool = True, resize_short: bool = False
    ) -> tuple[Pixels, Shape, Shape]:
        """Return a picture at training size, its original shape, and its shape.

        Raises:
            Failure: `data_error`.
        """
        if not rect_mode or resize_short:
            raise NotImplementedError("Pictures keep their shape, and fit with their longer side.")
        if self.ims[i] is not None:
            return self.ims[i], self.im_hw0[i], self.im_hw[i]
        try:
            pixels, original = read_picture(self.im_files[i])
        except (OSError, PixelsDamaged) as error:
            name = Path(self.im_files[i]).name
            raise Failure("data_error", f"{name} cannot be read any more ({error}).") from error
        pixels = self._enlarged(pixels, original)
        if self.augment:
            self._remember(i, pixels, original)
        return pixels, original, pixels.shape[:2]

    def _enlarged(self, pixels: Pixels, original: Shape) -> Pixels:
        """Bring a picture to training size that was smaller, or was prepared for another size."""
        shape = scaled(original, int(self.imgsz))
        if pixels.shape[:2] == shape:
            return pixels
        resized: Any = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_LINEAR)
        return resized  # type: ignore[no-any-return]

    def _remember(self, i: int, pixels: Pixels, original: Shape) -> None:
        """Keep a picture for the next mosaics, as the library does, and forget the oldest."""
        self.ims[i], self.im_hw0[i], self.im_hw[i] = pixels, original, pixels.shape[:2]
        self.buffer.append(i)
        if 1 < len(self.buffer) >= self.max_buffer_length:
            oldest = self.buffer.pop(0)
            self.ims[oldest] = self.im_hw0[oldest] = self.im_hw[oldest] = None
