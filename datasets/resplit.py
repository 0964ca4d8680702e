"""A version divided anew, or made the newest again: copied, and used by nobody before it is whole.

One transaction for all would keep every other writer waiting on SQLite. Until it is published a
copy is `importing`, as a version of an import is; what was cut off goes when its maker leaves, or,
where that one was killed, with the next sweep.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from datasets.models import DatasetClass, DatasetImage, DatasetVersion
from datasets.split import SplitItem, assign
from datasets.tally import Tally
from datasets.versions import lock_dataset, next_version
from jobs.errors import UserError

SOURCE, RESTORED = "resplit", "restore"
_FEWEST = 2
#: The largest version is copied in minutes.
_KEPT = timedelta(hours=1)
_IMPORTING = DatasetVersion.Status.IMPORTING


@dataclass(frozen=True)
class Copy:
    """A version that holds all its images, but is not ready yet."""

    version: DatasetVersion
    tally: Tally


@contextmanager
def copied(
    version: DatasetVersion, split_ratio: float, split_seed: int, test_ratio: float
) -> Iterator[Copy]:
    """Copy a version with another split; a copy that is not published in the end is removed.

    Near-duplicates come to one side, as far as the version knows of them. Not inside a transaction,
    which would undo what makes it short.

    Raises:
        UserError: `version_not_ready`, `dataset_gone`, or `too_few_pictures` to divide.
    """
    _check_ready(version)
    items = _items(version)
    if len(items) < _FEWEST:
        raise UserError("too_few_pictures")
    split = assign(items, ratio=split_ratio, test_ratio=test_ratio, seed=split_seed, keep=True)
    with _copy(version, SOURCE, (split_ratio, split_seed, test_ratio), split.of) as copy:
        yield copy


@contextmanager
def restored(version: DatasetVersion) -> Iterator[Copy]:
    """Copy a version as it is, so that it can become the newest; see `copied`.

    Raises:
        UserError: `version_not_ready`, or `dataset_gone`.
    """
    _check_ready(version)
    split = dict(version.images.values_list("picture__sha256", "split"))
    shares = (version.split_ratio, version.split_seed, version.test_ratio)
    with _copy(version, RESTORED, shares, split) as copy:
        yield copy


@contextmanager
def _copy(
    version: DatasetVersion,
    source: str,
    shares: tuple[float, int, float],
    split: dict[str, str],
) -> Iterator[Copy]:
    sweep(dataset=version.dataset_id)
    with transaction.atomic():
        made = next_version(version.dataset, source, *shares)
    try:
        yield Copy(made, _fill(version, made, split))
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


def sweep(**only: Any) -> None:
    """Remove copies whose maker was killed.

    Args:
        only: conditions of the versions to look at.
    """
    rows = DatasetVersion.objects.filter(source__in=[SOURCE, RESTORED])
    old = rows.filter(created_at__lt=timezone.now() - _KEPT)
    for version in old.exclude(status=DatasetVersion.Status.READY).filter(**only):
        _discard(version)


def _check_ready(version: DatasetVersion) -> None:
    if version.status != DatasetVersion.Status.READY:
        raise UserError("version_not_ready")


def _items(version: DatasetVersion) -> list[SplitItem]:
    test = DatasetImage.Split.TEST
    rows = version.images.values_list("picture__sha256", "boxes", "split", "group").iterator()
    return [
        SplitItem(
            sha256,
            frozenset(int(row[0]) for row in boxes),
            given=test if split == test else None,
            group=None if group is None else str(group),
        )
        for sha256, boxes, split, group in rows
    ]


def _fill(version: DatasetVersion, made: DatasetVersion, split: dict[str, str]) -> Tally:
    """Give the new version the classes and images of the old one, each image on its new side."""
    rows = DatasetClass.objects.filter(version=version).order_by("index")
    with _writing(made):
        made.layout = {"format": made.source, "of": str(version.pk)}
        made.baselines = version.baselines
        if made.source == RESTORED:
            made.warnings = version.warnings
        made.save(update_fields=["layout", "baselines", "warnings"])
        tally = Tally(
            DatasetClass.objects.bulk_create(
                DatasetClass(version=made, index=row.index, name=row.name) for row in rows
            )
        )
    images = DatasetImage.objects.filter(version=version).select_related("picture")
    for chunk in images.in_chunks():
        copies = [
            DatasetImage(
                version_id=made.pk,
                picture=image.picture,
                position=image.position,
                file_name=image.file_name,
                split=split[image.picture.sha256],
                group=image.group,
                boxes=image.boxes,
            )
            for image in chunk
        ]
        with _writing(made):
            DatasetImage.objects.bulk_create(copies)
            tally.add(copies)
    return tally


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
