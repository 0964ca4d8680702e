"""What the model of the moment finds on a few validation pictures, always the same ones.

It costs no inference: the validation of an epoch looks at all pictures anyway. Import this only
after `trainer_process.prepare_libraries`.
"""

import math
import random
import time
from pathlib import Path
from typing import Any

import torch
from ultralytics.models.yolo.detect import DetectionValidator

from training.messages import WatchedPicture

_PICTURES = 8
_CONFIDENCE = 0.25
_MOST_BOXES = 200
_DIGITS = 4
#: Of an epoch's time, what looking may cost; where it would cost more, epochs are left out.
_SHARE = 0.01


class WatchedPictures:
    """Chooses the pictures, and keeps what was found on them in the epoch in hand.

    Args:
        seed: of the run: another attempt watches the same pictures.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._files: set[str] | None = None
        self._found: dict[str, WatchedPicture] = {}
        self._cost = 0.0
        self._next_epoch = 0

    def choose(self, files: list[str], are_labelled: list[bool]) -> None:
        """Choose pictures, those with something on them first; once for all epochs."""
        if self._files is not None:
            return
        order = random.Random(self._seed)  # noqa: S311  which pictures, no secret
        pairs = sorted(zip(files, are_labelled, strict=True))
        order.shuffle(pairs)
        pairs.sort(key=lambda pair: not pair[1])
        self._files = {file for file, _ in pairs[:_PICTURES]}

    def wants(self, file: str, epoch: int) -> bool:
        """Whether a picture is one of them, and looking is due."""
        return epoch >= self._next_epoch and self._files is not None and file in self._files

    def add(self, file: str, boxes: list[list[float]], cost: float) -> None:
        """Keep what was found on one of them; it took so many seconds to write down."""
        stem = Path(file).stem
        self._found[stem] = WatchedPicture(file=stem, boxes=boxes)
        self._cost += cost

    def take(self, epoch: int, seconds: float) -> list[WatchedPicture] | None:
        """Return what was found in an epoch that took so long; None where it was left out."""
        if not self._found:
            return None
        found = [self._found[stem] for stem in sorted(self._found)]
        epochs = math.ceil(self._cost / (_SHARE * seconds)) if seconds > 0 else 1
        self._next_epoch = epoch + max(1, epochs)
        self._found, self._cost = {}, 0.0
        return found


class WatchingValidator(DetectionValidator):  # type: ignore[misc]
    """The library's validator; while it measures an epoch, it looks at the watched pictures."""

    watched: WatchedPictures | None = None
    epoch = 0

    def __call__(self, trainer: Any = None, model: Any = None, **more: Any) -> Any:
        """Measure the model of an epoch (`trainer`), or another."""
        if trainer is not None and self.watched is not None:
            self.epoch = int(trainer.epoch) + 1
            dataset = self.dataloader.dataset
            are_labelled = [len(label["cls"]) > 0 for label in dataset.labels]
            self.watched.choose(list(dataset.im_files), are_labelled)
        return super().__call__(trainer, model, **more)

    def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
        """Count a batch, and look at the watched pictures in it."""
        super().update_metrics(preds, batch)
        if not self.training or self.watched is None:
            return
        for index, file in enumerate(batch["im_file"]):
            if self.watched.wants(file, self.epoch):
                began = time.perf_counter()
                boxes = self._sure_boxes(preds[index], self._prepare_batch(index, batch))
                self.watched.add(file, boxes, time.perf_counter() - began)

    def _sure_boxes(self, found: dict[str, Any], picture: dict[str, Any]) -> list[list[float]]:
        """Return [class, confidence, x1, y1, x2, y2] of each, corners as shares of the picture."""
        sure = (found["conf"] >= _CONFIDENCE).nonzero().flatten()
        best_first = found["conf"][sure].argsort(descending=True, stable=True)[:_MOST_BOXES]
        kept = {name: values[sure[best_first]] for name, values in found.items()}
        height, width = picture["ori_shape"][:2]
        corners = self.scale_preds(kept, picture)["bboxes"].cpu().float()
        shares = (corners / torch.tensor([width, height, width, height])).clamp(0, 1).tolist()
        rows = zip(kept["cls"].tolist(), kept["conf"].tolist(), shares, strict=True)
        seen: set[tuple[float, ...]] = set()
        boxes: list[list[float]] = []
        for kind, confidence, share in rows:
            # While measuring, one box may count as several classes: the surest is shown.
            if tuple(share) not in seen:
                seen.add(tuple(share))
                rounded = [round(value, _DIGITS) for value in share]
                boxes.append([int(kind), round(confidence, 2), *rounded])
        return boxes
