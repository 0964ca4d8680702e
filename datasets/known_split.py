"""Where pictures of an import belong: beside those that look like them, and where they were.

Two models can be compared only if neither was trained on what measures the other: a picture keeps
the side that it has in the newest version of the dataset that holds it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db.models import Exists, OuterRef

from datasets.dealing import SIDES
from datasets.models import DatasetImage, DatasetVersion
from datasets.near_duplicates import near_duplicates
from datasets.split import SplitItem


@dataclass(frozen=True)
class KnownPictures:
    """The pictures of earlier versions, by the digest of their bytes.

    Attributes:
        sides: their splits, as they were last.
        hashes: their perceptual hashes, where they have one.
    """

    sides: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, int] = field(default_factory=dict)


def known_pictures(dataset_id: UUID) -> KnownPictures:
    """Return the pictures of all ready versions of a dataset, each as the newest one has it."""
    images = DatasetImage.objects.filter(
        version__dataset=dataset_id, version__status=DatasetVersion.Status.READY
    )
    later = images.filter(
        picture=OuterRef("picture"), version__number__gt=OuterRef("version__number")
    )
    newest = images.filter(~Exists(later.order_by()))
    rows = newest.order_by().values_list("picture__sha256", "split", "picture__perceptual_hash")
    sides, hashes = {}, {}
    for sha256, side, number in rows:
        sides[sha256] = side
        if number is not None:
            hashes[sha256] = number
    return KnownPictures(sides, hashes)


def with_groups(
    items: Sequence[SplitItem],
    hashes: Mapping[str, int],
    known: KnownPictures,
    tell: Callable[[int], object] = lambda done: None,
) -> list[SplitItem]:
    """Return the pictures with their group of near-duplicates, and with the side that is known.

    What looks like a known picture comes to its side, whether or not that picture came again. If
    such pictures lie on several sides, it comes to training, where it does no more harm.

    Args:
        items: whose keys are digests.
        hashes: of the items, by key; those without stand alone.
        known: of earlier versions.
        tell: called now and then with the number of pictures that were looked at.
    """
    group: dict[str, str] = {}
    beside: dict[str, str] = {}
    here = {item.key for item in items}
    for members in near_duplicates({**known.hashes, **hashes}, tell):
        mine = [key for key in members if key in here]
        side = _first_side(known.sides[key] for key in members if key in known.sides)
        beside |= dict.fromkeys(mine, side) if side else {}
        group |= dict.fromkeys(mine, mine[0]) if len(mine) > 1 else {}
    return [
        replace(
            item,
            group=group.get(item.key),
            known=known.sides.get(item.key) or beside.get(item.key),
        )
        for item in items
    ]


def _first_side(sides: Iterable[str]) -> str | None:
    found = set(sides)
    return next((side for side in SIDES if side in found), None)
