"""Writes weights that nobody trained but that always find the same: `python weights.py FILE`.

The head's last biases are set so that each picture has one sure `can` as large as the picture; with
`REACH` as a second argument, so that there is one of twice that many pixels around the middle of
each square of 32 pixels.
"""

import math
import sys
import tempfile
from pathlib import Path
from typing import Any

NAMES = ("can", "bottle")


_STRIDE = 32  # of the coarsest level


def write(path: Path, reach: float | None = None) -> None:
    """Write them, in the form in which the library saves a checkpoint."""
    from training.trainer_process import prepare_libraries

    with tempfile.TemporaryDirectory() as folder:
        prepare_libraries(Path(folder))
        import torch
        from ultralytics.nn.tasks import DetectionModel

        torch.manual_seed(0)
        model = DetectionModel("yolo11n.yaml", nc=len(NAMES), verbose=False)
        model.names = dict(enumerate(NAMES))
        for branch in model.model[-1].cv2:  # every box reaches as far as it can
            branch[-1].weight.data.zero_()
            branch[-1].bias.data.view(4, -1)[:] = -9.0
            branch[-1].bias.data.view(4, -1)[:, -1] = 9.0
        for level, branch in enumerate(model.model[-1].cv3):
            branch[-1].weight.data.zero_()
            branch[-1].bias.data[:] = -9.0
            if level == 2:  # the coarsest: a box from here is wider than a small picture
                branch[-1].bias.data[0] = 2.0
        if reach is not None:
            _set_reach(model.model[-1].cv2[2][-1], reach / _STRIDE)
        torch.save({"model": model.half(), "train_args": {"imgsz": 64, "task": "detect"}}, path)


def _set_reach(layer: Any, squares: float) -> None:
    """Have each side of a box lie so far from its square's middle: between bins 0 and 1 of 16."""
    bins = layer.bias.data.view(4, 16)
    layer.weight.data.zero_()
    bins[:] = -20.0
    bins[:, 0], bins[:, 1] = math.log(1 - squares), math.log(squares)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(float, sys.argv[2:]))
