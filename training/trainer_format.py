"""The training library's last step for a picture, quicker and with the same result."""

import random
from typing import Any

import cv2
import numpy as np
import torch
from ultralytics.data.augment import Format


class QuickFormat(Format):  # type: ignore[misc]
    """Takes the planes of colour apart; as the library does it, it is a twentieth of all work."""

    def _format_img(self, img: Any) -> Any:
        if self.bgr or img.ndim != 3 or img.shape[2] != 3:
            return super()._format_img(img)
        random.random()  # noqa: S311  the library draws a number here
        planes = np.empty((3, *img.shape[:2]), np.uint8)
        cv2.split(_laid_out(img), list(planes[::-1]))
        return torch.from_numpy(planes)


def _laid_out(img: Any) -> Any:
    """Return a picture whose rows follow each other: one that numpy flipped is only a view."""
    upside_down, mirrored = (stride < 0 for stride in img.strides[:2])
    if not (upside_down or mirrored):
        return img
    whole = img[:: -1 if upside_down else 1, :: -1 if mirrored else 1]
    return cv2.flip(whole, -1 if upside_down and mirrored else int(mirrored))
