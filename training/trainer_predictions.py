"""What the best model finds on each validation picture, written down while it is measured.

Import this only after `trainer_process.prepare_libraries`.
"""

import json
from pathlib import Path
from typing import Any

import torch
from ultralytics.models.yolo.detect import DetectionValidator

from training.messages import PREDICTIONS_FLOOR

FILE_NAME = "predictions.jsonl"
"""In the folder of the run: a line of JSON for each picture, in the order of the validation."""

_DIGITS = 5


class RunValidator(DetectionValidator):  # type: ignore[misc]
    """The library's validator; in the last evaluation, of the best model, it keeps what it found.

    A line is `{"file": stem, "boxes": [[class, confidence, x1, y1, x2, y2], …]}` with the best
    first. Corners are shares of the picture: it may have been shrunk for the training.
    """

    @property
    def _path(self) -> Path:
        return Path(self.save_dir) / FILE_NAME

    def init_metrics(self, model: Any) -> None:
        """Begin anew: an evaluation that was broken off left its lines."""
        super().init_metrics(model)
        if not self.training:
            self._path.write_bytes(b"")

    def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
        """Count a batch, and write down what was found on its pictures."""
        super().update_metrics(preds, batch)
        if self.training:
            return
        lines = [self._line(found, index, batch) for index, found in enumerate(preds)]
        with self._path.open("a", encoding="ascii") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def _line(self, found: dict[str, Any], index: int, batch: dict[str, Any]) -> str:
        picture = self._prepare_batch(index, batch)
        stem = Path(picture["im_file"]).stem
        return json.dumps({"file": stem, "boxes": self._boxes(found, picture)})

    def _boxes(self, found: dict[str, Any], picture: dict[str, Any]) -> list[list[float]]:
        kept = self._kept(found)
        found = {name: values[kept] for name, values in found.items()}
        height, width = picture["ori_shape"][:2]
        corners = self.scale_preds(found, picture)["bboxes"].cpu().float()
        shares = (corners / torch.tensor([width, height, width, height])).clamp(0, 1).tolist()
        rows = zip(found["cls"].tolist(), found["conf"].tolist(), shares, strict=True)
        return [
            [int(kind), *(round(value, _DIGITS) for value in (conf, *share))]
            for kind, conf, share in rows
        ]

    def _kept(self, found: dict[str, Any]) -> list[int]:
        """Return the places of what is sure enough, the surest first, as detection would give it.

        While measuring, a box may count as several classes; who detects sees the best of them.
        Models that need no suppression of boxes are measured as they detect.
        """
        order = found["conf"].argsort(descending=True, stable=True).tolist()
        sure = [place for place in order if float(found["conf"][place]) >= PREDICTIONS_FLOOR]
        if self.end2end:
            return sure
        boxes = found["bboxes"].tolist()
        best = {tuple(boxes[place]): place for place in reversed(sure)}
        return [place for place in sure if best[tuple(boxes[place])] == place]
