"""How much memory of a GPU a training needs, roughly: before it has been tried."""

import math

#: Megabytes a picture of 640 x 640 at training, in 16 bits, by the size of the model; what stands
#: in training logs of the YOLO families, rounded up. What was really used replaces it: preflight.
_PER_PICTURE = {"n": 170, "s": 290, "m": 540, "l": 700, "x": 1050}
#: The libraries, the weights and their copies, whatever the batch.
_FIXED = {"n": 1200, "s": 1300, "m": 1600, "l": 1800, "x": 2400}
_SIDE = 640
#: Not all of a card is ours, and crowded pictures need more.
_USABLE = 0.85
_BATCHES = (64, 48, 32, 24, 16, 12, 8, 6, 4, 2, 1)
#: Sides of pictures are multiples of it.
_STRIDE = 32


def needed_mb(architecture: str, *, imgsz: int, batch: int, full_precision: bool = False) -> int:
    """Return an estimate of the GPU memory that a training takes, in megabytes.

    Args:
        architecture: such as `yolo11n`; its last letter is the size.
        imgsz: longer side of a picture in pixels.
        batch: pictures learned from at once.
        full_precision: compute in 32 bits.
    """
    size = architecture[-1] if architecture[-1] in _FIXED else "x"
    pictures = batch * _PER_PICTURE[size] * (imgsz / _SIDE) ** 2
    return round(_FIXED[size] + pictures * (1.8 if full_precision else 1.0))


def fitting_batch(
    architecture: str,
    *,
    imgsz: int,
    memory_mb: int,
    full_precision: bool = False,
    below: int | None = None,
) -> int | None:
    """Return the largest usual batch that fits into a card, or None where not even one does.

    Args:
        full_precision: compute in 32 bits.
        below: a batch that is known to be too large, whatever the estimate says.
    """
    for batch in _BATCHES:
        needed = needed_mb(architecture, imgsz=imgsz, batch=batch, full_precision=full_precision)
        if needed <= memory_mb * _USABLE and (below is None or batch < below):
            return batch
    return None


def largest_side(imgsz: int, multi_scale: float) -> int:
    """Return the largest side that pictures are scaled to where their size changes."""
    return math.ceil(imgsz * (1 + multi_scale) / _STRIDE) * _STRIDE
