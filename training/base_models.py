"""The models that a training can start from: families and sizes, with or without weights."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from training.option import Text

SCRATCH = "-scratch"
DEFAULT_BASE_MODEL = "yolo11n"

_FAMILIES = {"yolo26": "YOLO26", "yolo11": "YOLO11", "yolo12": "YOLO12", "yolov8": "YOLOv8"}
#: The layer of each family that finds the objects: where it is frozen too, nothing learns.
_HEADS = {"yolo26": 23, "yolo11": 23, "yolo12": 21, "yolov8": 22}
_SIZES: dict[str, tuple[Text, Text]] = {
    "n": (_("nano"), _("The fastest and smallest; a good first try, also for phones.")),
    "s": (_("small"), _("Still fast, and finds a little more than nano.")),
    "m": (_("medium"), _("Finds more small and similar things; needs a GPU to train well.")),
    "l": (_("large"), _("Slower, for many pictures and classes that are hard to tell apart.")),
    "x": (
        _("extra large"),
        _("The most exact and the slowest; needs a large GPU and many pictures."),
    ),
}


@dataclass(frozen=True)
class BaseModel:
    """A model to start from; `is_scratch` means that it starts without any knowledge."""

    name: str
    family: str
    size: str
    is_scratch: bool

    @property
    def label(self) -> str:
        """The name for people, in the active language."""
        text = f"{_FAMILIES[self.family]} {_SIZES[self.size][0]}"
        return _("{model}, from scratch").format(model=text) if self.is_scratch else text

    @property
    def help(self) -> str:
        """One sentence on what the choice does to the result."""
        if self.is_scratch:
            return str(_("Learns from your pictures alone: needs more pictures and more epochs."))
        return str(_SIZES[self.size][1])

    def as_json(self) -> dict[str, Any]:
        """Return what the API tells about the model, in the active language."""
        return {
            "name": self.name,
            "label": self.label,
            "help": self.help,
            "family": self.family,
            "size": self.size,
            "pretrained": not self.is_scratch,
        }


def _all_models() -> dict[str, BaseModel]:
    models = [
        BaseModel(f"{family}{size}{suffix}", family, size, bool(suffix))
        for suffix in ("", SCRATCH)
        for family in _FAMILIES
        for size in _SIZES
    ]
    return {model.name: model for model in models}


BASE_MODELS: dict[str, BaseModel] = _all_models()


def most_frozen(architecture: str) -> tuple[int, str] | None:
    """Return how many layers of a network may be frozen at most, and the name of its family.

    Args:
        architecture: such as `yolo12n`; the name of a base model will do.
    """
    family = next((name for name in _HEADS if architecture.startswith(name)), None)
    return (_HEADS[family], _FAMILIES[family]) if family else None
