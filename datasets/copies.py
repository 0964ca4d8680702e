"""Copies a version with something changed: a new split, other classes, or nothing at all.

One transaction for all would keep every other writer waiting on SQLite. Until it is published a
copy is `importing`, as a version of an import is; what was cut off goes when its maker leaves, or,
where that one was killed, with the next sweep.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone

from datasets import image_problems
from datasets.image_problems import Odd
from datasets.models import DatasetClass, DatasetImage, DatasetVersion, Import
from datasets.tally import Tally
from datasets.unreadable import unreadable_of
from datasets.versions import lock_dataset, next_version
from jobs.errors import UserError

RESPLIT, RESTORED, EDITED = "resplit", "restore", "edit"
#: What a confirmed version was before somebody changed its classes: it goes.
_SUPERSEDED = "superseded"
#: The largest version is copied in minutes.
_KEPT = timedelta(hours=1)
#: Above every number that a version has: for a moment, while two of them change theirs.
_FREE = 2**30
_IMPORTING = DatasetVersion.Status.IMPORTING

#: [[class_index, x1, y1, x2, y2], …] in pixels.
Rows = Sequence[Sequence[float]]
#: From an image to its new boxes.
Change = Callable[[DatasetImage], Rows]
#: From an image, by its key, and what was said of it to what is said of its copy.
OddChange = Callable[[UUID, Odd], Odd]


@dataclass(frozen=True)
class Copy:
    """A version that holds all its images, but is not ready yet."""

    version: DatasetVersion
    tally: Tally


@dataclass(frozen=True)
class Plan:
    """What becomes of a version in its copy.

    Attributes:
        source: how the copy came about.
        classes: names in the order of their new indexes.
        split: of each picture, by its digest; a picture that is not named is left out.
        shares: split ratio, seed and test ratio that the copy says.
        boxes: the new boxes of each image.
        odd: what is odd about each image, of that which was said of it.
        said: what the copy says of itself: fields of the version.
    """

    source: str
    classes: Sequence[str]
    split: Mapping[str, str]
    shares: tuple[float, int, float]
    boxes: Change = lambda image: image.boxes
    odd: OddChange = lambda image, odd: odd
    said: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def copied(version: DatasetVersion, plan: Plan) -> Iterator[Copy]:
    """Copy a version; a copy that is not published in the end is removed.

    Not inside a transaction, which would undo what makes it short.

    Raises:
        UserError: `dataset_gone`.
    """
    sweep(dataset=version.dataset_id)
    with transaction.atomic():
        made = next_version(version.dataset, plan.source, *plan.shares)
    try:
        yield Copy(made, _fill(version, made, plan))
    finally:
        with suppress(DatabaseError):  # the next sweep removes it
            _discard(made)


def publish(copy: Copy) -> DatasetVersion:
    """Make a copy ready, in one short transaction.

    Raises:
        UserError: `dataset_gone`.
    """
    made, fields = copy.version, copy.tally.fields()
    with _writing(made):
        copy.tally.save_classes()
        for name, value in fields.items():
            setattr(made, name, value)
        made.save(update_fields=fields)
    return made


def publish_in_place(copy: Copy, of: DatasetVersion) -> DatasetVersion:
    """Make a copy ready in the place of a version that waits to be confirmed.

    It takes over number and import; the other one goes. This may be part of a transaction.

    Raises:
        UserError: `dataset_gone`, or `version_confirmed` by somebody else meanwhile.
    """
    made, rows = copy.version, DatasetVersion.objects.filter(pk=of.pk)
    with transaction.atomic():
        lock_dataset(made.dataset_id)
        waiting = rows.filter(status=DatasetVersion.Status.REVIEW)
        # Its number is free for the other one only once it has none of theirs.
        if not waiting.update(
            status=DatasetVersion.Status.FAILED, source=_SUPERSEDED, number=_FREE + made.number
        ):
            raise UserError("version_confirmed")
        number, made.number, made.source = made.number, of.number, of.source
        made.save(update_fields=["number", "source"])
        rows.update(number=number)
        Import.objects.filter(version=of.pk).update(version=made)
        publish(copy)
        # Should it fail, the next sweep removes it.
        transaction.on_commit(partial(_discard, of), robust=True)
    return made


def sweep(**only: Any) -> None:
    """Remove copies whose maker was killed.

    Args:
        only: conditions of the versions to look at.
    """
    rows = DatasetVersion.objects.filter(source__in=[RESPLIT, RESTORED, EDITED, _SUPERSEDED])
    old = rows.filter(created_at__lt=timezone.now() - _KEPT)
    for version in old.exclude(status=DatasetVersion.Status.READY).filter(**only):
        _discard(version)


def _fill(version: DatasetVersion, made: DatasetVersion, plan: Plan) -> Tally:
    """Give the new version its classes and images, each image on its new side."""
    with _writing(made):
        fields = {"baselines": version.baselines, "parent": version, **plan.said}
        for name, value in fields.items():
            setattr(made, name, value)
        made.save(update_fields=fields)
        tally = Tally(
            made,
            DatasetClass.objects.bulk_create(
                DatasetClass(version=made, index=index, name=name)
                for index, name in enumerate(plan.classes)
            ),
            unreadable=unreadable_of(version),
        )
    images = DatasetImage.objects.filter(version=version).select_related("picture")
    for chunk in images.in_chunks():
        copies = {
            image.pk: _copy(image, made, plan)
            for image in chunk
            if image.picture.sha256 in plan.split
        }
        codes = image_problems.codes_of(version, copies)
        said = {
            copy.pk: plan.odd(image, image_problems.said(codes.get(image, {})))
            for image, copy in copies.items()
        }
        with _writing(made):
            DatasetImage.objects.bulk_create(copies.values())
            image_problems.note(made, said)
            tally.add(list(copies.values()))
    return tally


def _copy(image: DatasetImage, made: DatasetVersion, plan: Plan) -> DatasetImage:
    return DatasetImage(
        version_id=made.pk,
        picture=image.picture,
        position=image.position,
        file_name=image.file_name,
        split=plan.split[image.picture.sha256],
        group=image.group,
        boxes=plan.boxes(image),
    )


@contextmanager
def _writing(made: DatasetVersion) -> Iterator[None]:
    """Write to a copy that is still there: whoever deletes its dataset waits, or was faster."""
    with transaction.atomic():
        lock_dataset(made.dataset_id)
        if not DatasetVersion.objects.filter(pk=made.pk, status=_IMPORTING).exists():
            raise UserError("dataset_gone")
        yield


def _discard(made: DatasetVersion) -> None:
    """Remove a copy that is not ready, in short transactions too."""
    with transaction.atomic():
        lock_dataset(made.dataset_id)
        rows = DatasetVersion.objects.filter(pk=made.pk)
        # So that its maker, should it still be there, writes nothing more.
        unfinished = rows.exclude(status=DatasetVersion.Status.READY)
        if not unfinished.update(status=DatasetVersion.Status.FAILED):
            return
    for chunk in DatasetImage.objects.filter(version=made.pk).only("position").in_chunks():
        DatasetImage.objects.filter(pk__in=[image.pk for image in chunk]).delete()
    rows.delete()
