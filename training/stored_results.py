"""Reads back what a run left: its evaluation, and its predictions beside the truth."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets.models import DatasetImage
from training import predictions
from training.models import TrainingRun

log = logging.getLogger(__name__)

_EVALUATION = "evaluation.json"
#: Far above what `predictions.document` can make; a file of strangers is never read whole.
_MOST_BYTES = 32 << 20
#: The first pictures are the worst ones; after so many come some by chance, right ones among them.
_WORST_FIRST = 18
_OTHERS_FIRST = 6


@dataclass(frozen=True)
class Compared:
    """A validation picture with its true boxes, and what was found on it.

    Attributes:
        image: the `DatasetImage`.
        kept: the picture as `predictions.json` has it.
    """

    image: Any
    kept: dict[str, Any]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Return what was found: corners in pixels, and which true box each finds, if any."""
        width, height = self.image.picture.width, self.image.picture.height
        return [
            {
                "class_id": int(kind),
                "confidence": confidence,
                "box": {"x1": x1 * width, "y1": y1 * height, "x2": x2 * width, "y2": y2 * height},
                "match": None if at < 0 else at,
            }
            for kind, confidence, x1, y1, x2, y2, at in self.kept["boxes"]
        ]


def read_confusion(run: TrainingRun) -> dict[str, Any]:
    """Return `confusion` as class_tables takes it; nothing where none was kept.

    The library's own matrix counts whatever the model is sure of to a thousandth: it is taken only
    for runs of older releases, which have no other.
    """
    document = read_predictions(run)
    if "confusion" not in document:
        return _read(run, _EVALUATION)
    names = [row["class_name"] for row in document["per_class"]]
    matrix = [[0] * (len(names) + 1) for _ in range(len(names) + 1)]
    for said, really, times in document["confusion"]:
        matrix[said][really] = times
    return {"confusion": {"labels": [*names, "background"], "matrix": matrix}}


def read_predictions(run: TrainingRun) -> dict[str, Any]:
    """Return what `predictions.Compared.document` made; nothing where there is none."""
    return _read(run, predictions.NAME)


def pictures(run: TrainingRun, document: dict[str, Any], start: int, stop: int) -> list[Compared]:
    """Return some of the kept pictures: the worst, then a few others, then the rest."""
    kept = arranged(document["pictures"])[start:stop]
    rows: Any = DatasetImage.objects.filter(
        version=run.dataset_version_id, position__in=[one["position"] for one in kept]
    )
    images = {image.position: image for image in rows.select_related("picture")}
    return [Compared(images[one["position"]], one) for one in kept if one["position"] in images]


def arranged(kept: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return pictures, which come with most mistakes first, as they are looked at."""
    rest = list(kept[_WORST_FIRST:])
    step = max(len(rest) // _OTHERS_FIRST, 1)
    others = rest[::step][:_OTHERS_FIRST]
    chosen = {one["position"] for one in others}
    return [*kept[:_WORST_FIRST], *others, *(o for o in rest if o["position"] not in chosen)]


def _read(run: TrainingRun, name: str) -> dict[str, Any]:
    """Return a JSON artifact; one that is missing or cannot be read leaves a page without it."""
    artifact = run.artifacts.filter(name=name).first()
    if artifact is None or artifact.size > _MOST_BYTES:
        return {}
    try:
        with artifact.file.open("rb") as file:
            found = json.loads(file.read())
    except Exception:  # each kind of storage has exceptions of its own
        log.exception("Cannot read %s of run %s", name, run.pk)
        return {}
    return found if isinstance(found, dict) else {}
