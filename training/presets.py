"""Settings that suit the data and the card: a quick try, a balanced one, the best quality.

The three differ in how often pictures are gone through, in the size of the model and in the size of
the pictures. Few pictures are gone through more often, small objects are looked at larger, and the
batch is what the card holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from datasets.models import DatasetVersion
from jobs.worker_rows import Worker
from training.base_models import BASE_MODELS, SCRATCH
from training.experience import Wanted, smallest_too_large
from training.memory import fitting_batch
from training.option import Text, Value
from training.options import OPTIONS
from training.pretrained import may_be_fetched, names_here

#: Families from the most trusted; all of them find objects, so the first with weights is taken.
_FAMILIES = ("yolo11", "yolo26", "yolov8", "yolo12")
_SIZES = "nsmlx"
_SCRATCH_FAMILY = "yolo26"
#: From this share of boxes that are specks at 640 pixels, pictures are looked at larger.
_MANY_SMALL = 0.3
_SMALL = frozenset({"tiny", "small"})


@dataclass(frozen=True)
class _Plan:
    """What one preset wants before data and card are looked at.

    Attributes:
        shown: pictures gone through in all; divided by those that there are, it gives the epochs.
        epochs: fewest and most of them.
        sizes: of the model, the wished one first; a smaller one where the card is small.
        imgsz: for large objects, and where many are small.
    """

    name: str
    label: Text
    help: Text
    shown: int
    epochs: tuple[int, int]
    patience: float
    sizes: str
    imgsz: tuple[int, int]
    more: Mapping[str, Value]


_PLANS = (
    _Plan(
        "quick", _("Quick try"),
        _("Shows in a short time whether the data is good; not the model for daily use."),
        3_000, (3, 50), 0.0, "n", (640, 640), {},
    ),
    _Plan(
        "balanced", _("Balanced"),
        _("Good results in reasonable time; right for most trainings."),
        60_000, (40, 300), 0.25, "sn", (640, 960), {},
    ),
    _Plan(
        "best", _("Best quality"),
        _("Takes the longest and finds the most; for a model that will be used every day."),
        200_000, (80, 600), 0.33, "msn", (960, 1280), {"cos_lr": True},
    ),
)  # fmt: skip

#: What any of them sets, as it usually is: choosing another one takes it back.
_USUAL = {name: OPTIONS[name].default for plan in _PLANS for name in plan.more}


@dataclass(frozen=True)
class Preset:
    """A base model and options: each preset names all that any of them sets."""

    name: str
    label: Text
    help: Text
    base_model: str
    options: Mapping[str, Value]

    @property
    def summary(self) -> str:
        """Return its main settings in one line."""
        text = gettext("{model} · {imgsz} pixels · {epochs} epochs · batch {batch}")
        return text.format(model=BASE_MODELS[self.base_model].label, **self.options)

    def as_json(self) -> dict[str, Any]:
        """Return what the API and the page tell, in the active language."""
        return {
            "name": self.name,
            "label": str(self.label),
            "help": str(self.help),
            "base_model": self.base_model,
            "options": dict(self.options),
        }


def presets_for(version: DatasetVersion, *, card: Worker | None) -> list[Preset]:
    """Return the presets for some data on a card.

    Args:
        version: what is trained on.
        card: a worker with one; None trains on the processor, where only small models make sense.
    """
    here = names_here()
    return [_preset(plan, version, card, here) for plan in _PLANS]


def _preset(
    plan: _Plan, version: DatasetVersion, card: Worker | None, here: frozenset[str]
) -> Preset:
    imgsz = plan.imgsz[has_many_small(version)] if card else 640
    base_model, batch = _that_fits(plan.sizes, imgsz, card, here)
    epochs = _epochs(plan, version.train_images)
    options = {
        "epochs": epochs,
        "patience": round(epochs * plan.patience),
        "imgsz": imgsz,
        # A batch larger than the set would be cut to it.
        "batch": max(1, min(batch, version.train_images)),
        "optimizer": "auto",
        # A short training, too, ends with pictures as they will be seen later.
        "close_mosaic": min(10, epochs // 4),
        **_USUAL,
        **plan.more,
    }
    return Preset(plan.name, plan.label, plan.help, base_model, options)


def has_many_small(version: DatasetVersion) -> bool:
    """Whether so many boxes are small that larger pictures are worth their time."""
    counts = {row["size"]: row["boxes"] for row in version.health.get("box_sizes", [])}
    small = sum(count for size, count in counts.items() if size in _SMALL)
    return bool(small > _MANY_SMALL * max(1, sum(counts.values())))


def _that_fits(
    sizes: str, imgsz: int, card: Worker | None, here: frozenset[str]
) -> tuple[str, int]:
    """Return the first base model that a card takes with a batch of at least 8, and the batch."""
    if card is None:
        return _base_model("n", here), 16
    for size in sizes:
        base_model = _base_model(size, here)
        batch = _batch(base_model.removesuffix(SCRATCH), imgsz, card)
        if batch >= 8:
            break
    return base_model, batch


def _batch(architecture: str, imgsz: int, card: Worker) -> int:
    """Return the largest batch that should fit, and of which nobody knows that it does not."""
    wanted = Wanted(architecture, imgsz, 1, "mixed")
    names = {card.gpu_name} - {""}
    failed = smallest_too_large(wanted, card.gpu_class, devices=names)
    memory_mb = card.gpu_memory_mb or 0
    return fitting_batch(architecture, imgsz=imgsz, memory_mb=memory_mb, below=failed) or 1


def _epochs(plan: _Plan, images: int) -> int:
    fewest, most = plan.epochs
    return min(most, max(fewest, plan.shown // max(1, images)))


def _base_model(size: str, here: frozenset[str]) -> str:
    """Return a base model of a size: with weights that are here, or that can be had, or without."""
    names = [f"{family}{size}" for family in _FAMILIES]
    if found := next((name for name in names if name in here), None):
        return found
    if may_be_fetched():
        return names[0]
    smaller = (f"{family}{letter}" for letter in _smaller(size) for family in _FAMILIES)
    found = next((name for name in smaller if name in here), None)
    return found or f"{_SCRATCH_FAMILY}{size}{SCRATCH}"


def _smaller(size: str) -> str:
    """Return the sizes below one, the nearest first: what fits with it fits with them."""
    return _SIZES[: _SIZES.index(size)][::-1]
