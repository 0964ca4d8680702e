"""The detector: loads models once and keeps them warm; pixels in, plain numbers out.

Here and in the trainer alone ultralytics and torch are imported; no ORM, no request, no Redis.
"""

import hashlib
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.counts import CONFIDENCE_FLOOR

log = logging.getLogger(__name__)

#: Models kept in memory; a nano takes about 30 MB, an extra large one 250 MB.
_MOST_LOADED = 3
_BATCH = 8

Pixels = NDArray[np.uint8]
#: (class_id, confidence, x1, y1, x2, y2), pixels of the picture that was given.
Found = tuple[int, float, float, float, float, float]


class WeightsRefused(Exception):
    """The weights are not what was registered, or cannot be read safely."""


@dataclass(frozen=True)
class Prediction:
    """What was found on one picture, best first, and how long it took in milliseconds."""

    objects: list[Found]
    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float


def prepare_library(config_dir: Path) -> None:
    """Set what ultralytics reads when it is imported: no net, no code from weights.

    Call it before anything is loaded.
    """
    from training.trainer_process import prepare_libraries

    prepare_libraries(config_dir)
    # What the library prints belongs to no run; errors still come through.
    os.environ["YOLO_VERBOSE"] = "False"
    # Threads that have nothing to compute must not spin: others wait for the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@dataclass(frozen=True)
class Measurement:
    """How right a model is on a split.

    Attributes:
        by_class: class index -> (precision, recall, AP50, AP50-95); classes without boxes are left
            out.
        matrix: rows are what was predicted, columns what is there; the last of each is background.
    """

    precision: float
    recall: float
    map50: float
    map50_95: float
    by_class: dict[int, tuple[float, ...]]
    matrix: list[list[int]]


class LoadedModel:
    """One model, ready to predict."""

    def __init__(self, path: Path, *, imgsz: int) -> None:
        """Load weights without running code that they may hold.

        Raises:
            WeightsRefused: they cannot be read safely.
        """
        from ultralytics import YOLO

        if os.environ.get("ULTRALYTICS_SAFE_LOAD") != "1":
            raise WeightsRefused("Safe loading is off.")
        try:
            self._model = YOLO(str(path), task="detect")
        except Exception as error:
            raise WeightsRefused(str(error)) from error
        self._imgsz = imgsz
        self.device = _device()

    def predict(self, pictures: Sequence[Pixels], *, iou: float) -> list[Prediction]:
        """Find objects.

        Args:
            pictures: arrays (height, width, 3), blue-green-red, upright, any sizes.
            iou: overlap above which two boxes of a class count as one (families that need it).
        """
        found: list[Prediction] = []
        for start in range(0, len(pictures), _BATCH):
            results = self._model.predict(
                list(pictures[start : start + _BATCH]),
                imgsz=self._imgsz,
                conf=CONFIDENCE_FLOOR,
                iou=iou,
                device=self.device,
                max_det=1000,
                verbose=False,
            )
            found.extend(_plain(result) for result in results)
        return found

    def measure(self, data_yaml: Path, *, split: str, iou: float, folder: Path) -> Measurement:
        """Measure the model on a prepared split, as the field does it (AP over all thresholds).

        Args:
            data_yaml: written by us; names `path`, the splits, `nc` and `names` alone.
            folder: where the library may write.
        """
        metrics = self._model.val(
            data=str(data_yaml),
            split=split,
            imgsz=self._imgsz,
            iou=iou,
            device=self.device,
            batch=_BATCH,
            workers=0,
            # Only with plots does the library count what is taken for what.
            plots=True,
            verbose=False,
            project=str(folder),
            name="measure",
            exist_ok=True,
        )
        # Prediction and measuring want different set-ups of the same model.
        self._model.predictor = None
        return _measurement(metrics)


def _measurement(metrics: Any) -> Measurement:
    box = metrics.box
    by_class = {
        int(index): tuple(float(value) for value in box.class_result(place))
        for place, index in enumerate(box.ap_class_index)
    }
    matrix = metrics.confusion_matrix.matrix.astype(int).tolist()
    return Measurement(
        float(box.mp), float(box.mr), float(box.map50), float(box.map), by_class, matrix
    )


def _plain(result: Any) -> Prediction:
    boxes = result.boxes
    rows = zip(boxes.cls.tolist(), boxes.conf.tolist(), boxes.xyxy.tolist(), strict=True)
    objects: list[Any] = [
        (int(kind), round(float(conf), 4), *(round(float(value), 2) for value in xyxy))
        for kind, conf, xyxy in rows
    ]
    objects.sort(key=lambda item: -item[1])
    speed = result.speed
    return Prediction(objects, speed["preprocess"], speed["inference"], speed["postprocess"])


def _device() -> str:
    import torch

    return "0" if torch.cuda.is_available() else "cpu"


class ModelCache:
    """Keeps the models used last; a model is known by the SHA-256 of its weights."""

    def __init__(self, most: int = _MOST_LOADED) -> None:
        self._most = most
        self._models: OrderedDict[tuple[str, int], LoadedModel] = OrderedDict()

    def warm_up(self) -> None:
        """Import the library, which takes seconds, before somebody waits for it."""
        import ultralytics.models.yolo.detect  # noqa: F401

    def get(self, sha256: str, imgsz: int, load: Callable[[], Path]) -> LoadedModel:
        """Return a warm model, or load it.

        Args:
            load: returns the path of the weights; called only where they are not in memory.

        Raises:
            WeightsRefused: the file is not the registered one, or not safe.
        """
        key = (sha256, imgsz)
        if key in self._models:
            self._models.move_to_end(key)
            return self._models[key]
        began = time.perf_counter()
        path = load()
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise WeightsRefused("The weights differ from the registered ones.")
        model = LoadedModel(path, imgsz=imgsz)
        model.predict([np.zeros((imgsz, imgsz, 3), np.uint8)], iou=0.7)
        log.info("Loaded a model in %.2f s", time.perf_counter() - began)
        self._models[key] = model
        while len(self._models) > self._most:
            self._models.popitem(last=False)
        return model
