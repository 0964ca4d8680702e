"""What the demo draws and how it trains: chosen to learn well from scratch on two cores."""

from typing import Any

IMAGES = 160
SEED = 7
SIZE = (512, 384)

UNSEEN = 12
CONFIDENCE = 0.3

TRAINING: dict[str, Any] = {
    "base_model": "yolov8n-scratch",
    "epochs": 60,
    "patience": 0,
    "batch": 16,
    "imgsz": 160,
    "optimizer": "MuSGD",
    "lr0": 0.02,
    "lrf": 0.01,
    "seed": 0,
    "advanced": {"close_mosaic": 10},
}
