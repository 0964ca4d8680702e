"""What the best model finds on each validation picture, written down while it is measured.

Import this only after `trainer_process.prepare_libraries`.
"""

import json
from pathlib import Path
from typing import Any

import torch
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils.nms import non_max_suppression

from training.messages import PREDICTIONS_FLOOR

FILE_NAME = "predictions.jsonl"
"""In the folder of the run: a line of JSON for each picture, in the order of the validation."""

_DIGITS = 5


class KeepingValidator(DetectionValidator):  # type: ignore[misc]
    """The library's validator; in the last evaluation, of the best model, it keeps what it found.

    A line is `{"file": stem, "boxes": [[class, confidence, x1, y1, x2, y2], …]}` with the surest
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

    def postprocess(self, preds: Any) -> list[dict[str, Any]]:
        """Make boxes of what the model answers.

        For the figures a box may count as several classes; what is kept is what detection finds.
        """
        if not self.training:
            self._found = non_max_suppression(
                preds,
                PREDICTIONS_FLOOR,
                self.args.iou,
                max_det=self.args.max_det,
                end2end=self.end2end,
            )
        return super().postprocess(preds)  # type: ignore[no-any-return]

    def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
        """Count a batch, and write down what was found on its pictures."""
        super().update_metrics(preds, batch)
        if self.training:
            return
        lines = [self._line(index, batch) for index in range(len(preds))]
        with self._path.open("a", encoding="ascii") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def _line(self, index: int, batch: dict[str, Any]) -> str:
        picture = self._prepare_batch(index, batch)
        found = self._found[index]
        height, width = picture["ori_shape"][:2]
        corners = self.scale_preds({"bboxes": found[:, :4]}, picture)["bboxes"].cpu().float()
        shares = (corners / torch.tensor([width, height, width, height])).clamp(0, 1).tolist()
        rows = zip(found[:, 5].tolist(), found[:, 4].tolist(), shares, strict=True)
        boxes = [
            [int(kind), *(round(value, _DIGITS) for value in (confidence, *share))]
            for kind, confidence, share in rows
        ]
        return json.dumps({"file": Path(picture["im_file"]).stem, "boxes": boxes})
