"""What a model finds on the validation pictures, beside what is really there.

The trainer writes a line for each picture; here they are compared with the version's boxes, and
what people look at is kept as one document of bounded size: `predictions.json`.
"""

import heapq
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from datasets.models import DatasetImage
from training.matching import NOTHING, match, mistaken
from training.messages import PREDICTIONS_FLOOR, Message
from training.models import TrainingRun

NAME = "predictions.json"
KIND = "predictions"
#: Pictures that are kept of a large set: those with most mistakes, and others by chance.
KEPT_WORST = 200
KEPT_OTHERS = 50
#: Boxes that are kept of a picture, the surest; more nobody can look at.
_MOST_BOXES = 300
#: Where the model itself does not say from which confidence it counts best.
_USUAL_CONFIDENCE = 0.25
_HIGHEST_CONFIDENCE = 0.95
_DIGITS = 4

#: [class, confidence, x1, y1, x2, y2], corners as shares of the picture.
Found = list[float]


@dataclass(frozen=True)
class Picture:
    """One validation picture: what was found, which true box each finds, and what went wrong.

    Attributes:
        pairs: (class that was said, class that is there) of all that counts; None: nothing.
    """

    image: Any
    found: list[Found]
    matches: list[int]
    missed: int
    false: int
    is_right: bool
    pairs: list[tuple[int | None, int | None]]

    @property
    def mistakes(self) -> int:
        """Boxes that were missed, and boxes where there is nothing of that class."""
        return self.missed + self.false

    def as_json(self) -> dict[str, Any]:
        """Return the picture as it is kept."""
        rows = zip(self.found, self.matches, strict=True)
        boxes = [[int(kind), *_rounded(rest), at] for (kind, *rest), at in rows]
        return {
            "position": self.image.position,
            "missed": self.missed,
            "false": self.false,
            "boxes": boxes[:_MOST_BOXES],
        }


@dataclass
class Compared:
    """Adds up all pictures of a validation set, and keeps some of them.

    Attributes:
        names: of the classes, by index.
        confidence: from which on a prediction counts.
        seed: decides which pictures are kept by chance.
    """

    names: Sequence[str]
    confidence: float
    seed: int = 0
    images: int = 0
    images_right: int = 0
    true: Counter[int] = field(default_factory=Counter)
    predicted: Counter[int] = field(default_factory=Counter)
    pairs: Counter[tuple[int | None, int | None]] = field(default_factory=Counter)
    _worst: list[tuple[int, int, Picture]] = field(default_factory=list)
    _others: list[tuple[float, int, Picture]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311  chooses pictures

    def add(self, picture: Picture) -> None:
        """Count a picture."""
        self.images += 1
        self.images_right += picture.is_right
        self.true += _count(picture.image.boxes)
        self.predicted += _count(_above(picture.found, self.confidence))
        self.pairs.update(picture.pairs)
        # The position makes each entry unlike all others: pictures are never compared.
        position = picture.image.position
        _keep(self._worst, (picture.mistakes, -position, picture), KEPT_WORST)
        _keep(self._others, (self._chance.random(), position, picture), KEPT_OTHERS)

    def counts(self) -> dict[str, Any]:
        """Return how right the model counts, as an evaluation says it."""
        return {
            "images": self.images,
            "images_right": self.images_right,
            "confidence": self.confidence,
            "per_class": [
                {"class_name": n, "true": self.true[i], "predicted": self.predicted[i]}
                for i, n in enumerate(self.names)
            ],
        }

    def document(self) -> dict[str, Any]:
        """Return what is kept: the counts, and the pictures with most mistakes first."""
        kept = {entry[2].image.position: entry[2] for entry in (*self._worst, *self._others)}
        pictures = sorted(kept.values(), key=lambda one: (-one.mistakes, one.image.position))
        return {
            "floor": PREDICTIONS_FLOOR,
            **self.counts(),
            # [said, really, times]; the number behind the last class is background.
            "confusion": [
                [*(len(self.names) if kind is None else kind for kind in pair), times]
                for pair, times in self.pairs.items()
            ],
            "pictures": [picture.as_json() for picture in pictures],
        }


def compare(run: TrainingRun, done: Message, check: Callable[[], None]) -> Compared | None:
    """Compare what the trainer found with what is really there.

    Args:
        done: the trainer's last word; one of an older release names no predictions.
        check: called now and then; raises where nobody wants the result any more.
    """
    path = next((Path(i["path"]) for i in done["artifacts"] if i["kind"] == KIND), None)
    if path is None:
        return None
    names = [item.name for item in run.dataset_version.classes.order_by("index")]
    compared = Compared(names, _confidence(done["metrics"]), seed=run.options.get("seed", 0))
    with path.open("rb") as file:
        places = _places(file)
        for image in _images(run, check):
            # What the library refused to read was not measured either.
            if image.position in places:
                found = _line_at(file, places[image.position])["boxes"]
                compared.add(compare_picture(image, found, compared.confidence))
    return compared


def compare_picture(image: Any, found: list[Found], confidence: float) -> Picture:
    """Match what was found on a picture with its boxes.

    Args:
        image: a `DatasetImage` with its picture.
        found: the surest first.
        confidence: from which on a prediction counts.
    """
    true = _shares(image)
    matches = match(found, true)
    sure = _above(found, confidence)
    hits = sum(at != NOTHING for at in matches[: len(sure)])
    return Picture(
        image=image,
        found=found,
        matches=matches,
        missed=len(image.boxes) - hits,
        false=len(sure) - hits,
        is_right=_count(sure) == _count(image.boxes),
        pairs=_pairs(sure, true, matches[: len(sure)]),
    )


def _pairs(
    sure: list[Found], true: list[list[float]], matches: list[int]
) -> list[tuple[int | None, int | None]]:
    """Return what was said for what: hits, other classes, nothing there, and what was missed."""
    swapped = dict(mistaken(sure, true, matches))
    places = [swapped.get(place, at) for place, at in enumerate(matches)]
    said: list[tuple[int | None, int | None]] = [
        (int(found[0]), None if at == NOTHING else int(true[at][0]))
        for found, at in zip(sure, places, strict=True)
    ]
    missed = set(range(len(true))) - set(places)
    return said + [(None, int(true[at][0])) for at in sorted(missed)]


def _images(run: TrainingRun, check: Callable[[], None]) -> Iterator[Any]:
    rows = DatasetImage.objects.filter(
        version=run.dataset_version, split=DatasetImage.Split.VAL
    ).select_related("picture")
    for chunk in rows.in_chunks():
        check()
        yield from chunk


def _shares(image: Any) -> list[list[float]]:
    """Return the boxes of an image with their corners as shares of the picture."""
    width, height = image.picture.width, image.picture.height
    return [
        [index, x1 / width, y1 / height, x2 / width, y2 / height]
        for index, x1, y1, x2, y2 in image.boxes
    ]


def _places(file: BinaryIO) -> dict[int, int]:
    """Return where in the file the line of each picture begins, by the picture's position.

    A picture is laid out for the trainer under the number of its position.
    """
    places: dict[int, int] = {}
    at = 0
    for line in file:
        places[int(json.loads(line)["file"])] = at
        at += len(line)
    return places


def _line_at(file: BinaryIO, place: int) -> dict[str, Any]:
    file.seek(place)
    return json.loads(file.readline())  # type: ignore[no-any-return]


def _confidence(metrics: Message) -> float:
    """Return from which confidence on detection would start to count with this model."""
    best = metrics.get("recommended_confidence") or _USUAL_CONFIDENCE
    return float(min(max(best, PREDICTIONS_FLOOR), _HIGHEST_CONFIDENCE))


def _above(found: list[Found], confidence: float) -> list[Found]:
    return [one for one in found if one[1] >= confidence]


def _count(rows: Sequence[Sequence[float]]) -> Counter[int]:
    return Counter(int(row[0]) for row in rows)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, _DIGITS) for value in values]


def _keep(heap: list[Any], entry: Any, most: int) -> None:
    """Add an entry, and let the least one go where there are too many."""
    if len(heap) < most:
        heapq.heappush(heap, entry)
    else:
        heapq.heappushpop(heap, entry)
