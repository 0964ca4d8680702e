"""Validation pictures with what the model of an epoch finds: kept, and put together to show.

Of each run the newest epoch's and the best one's are kept, a few kilobytes in a row each. The boxes
of the truth are those of the version, which never change.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from datasets.models import DatasetImage
from training.messages import Message
from training.models import RunPictures, TrainingRun

_MOST_PICTURES, _MOST_BOXES = 8, 200


@dataclass(frozen=True)
class Shown:
    """One picture: what is there, and what was found, both in its pixels."""

    image: DatasetImage
    found: list[list[float]]


@dataclass(frozen=True)
class Look:
    """What the model of one epoch finds."""

    kind: str
    epoch: int
    pictures: list[Shown]


def keep(run: TrainingRun, message: Message) -> bool:
    """Keep what an epoch brought, in the transaction that commits it.

    Returns:
        Whether it brought any.
    """
    found = list(_sensible(message.get("pictures") or ()))
    if not found:
        return False
    kinds = [RunPictures.Kind.LAST]
    kinds += [RunPictures.Kind.BEST] if message["is_best"] else []
    values = {"epoch": int(message["epoch"]), "attempt": run.attempt, "found": found}
    for kind in kinds:
        RunPictures.objects.update_or_create(run=run, kind=kind, defaults=values)
    return True


def looks_of(run: TrainingRun) -> list[Look]:
    """Return the newest look and the best one, by two queries; one where they are the same."""
    rows = {row.kind: row for row in run.pictures.all()}
    last, best = rows.get(RunPictures.Kind.LAST), rows.get(RunPictures.Kind.BEST)
    if last and best and last.epoch == best.epoch:
        last = None
    kept = [row for row in (last, best) if row]
    positions = {item["position"] for row in kept for item in row.found}
    images = DatasetImage.objects.filter(
        version_id=run.dataset_version_id, position__in=positions
    ).select_related("picture")
    by_position = {image.position: image for image in images}
    return [Look(row.kind, row.epoch, list(_shown(row.found, by_position))) for row in kept]


def _shown(found: Sequence[Any], images: dict[int, DatasetImage]) -> Iterator[Shown]:
    for item in found:
        image = images.get(item["position"])
        if image is None:
            continue
        picture: Any = image.picture
        sides = (picture.width, picture.height) * 2
        boxes = [
            [kind, confidence, *(share * side for share, side in zip(corners, sides, strict=True))]
            for kind, confidence, *corners in item["boxes"]
        ]
        yield Shown(image, boxes)


def _sensible(pictures: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield what can be shown: the trainer is not trusted."""
    for picture in pictures[:_MOST_PICTURES]:
        name, boxes = str(picture["file"]), picture["boxes"][:_MOST_BOXES]
        if name.isascii() and name.isdigit() and len(name) < 10 and all(map(_is_box, boxes)):
            yield {"position": int(name), "boxes": boxes}


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 6
        and all(isinstance(value, int | float) and math.isfinite(value) for value in box)
    )
