"""A version divided anew, or made the newest again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from datasets import copies
from datasets.copies import Copy, Plan, copied
from datasets.models import DatasetClass, DatasetImage, DatasetVersion
from datasets.problems import Problems
from datasets.split import SplitItem, assign
from jobs.errors import UserError

_FEWEST = 2


@contextmanager
def divided(
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
    shares = (split_ratio, split_seed, test_ratio)
    problems = Problems()
    if split.is_apart:
        problems.add("near_duplicates_apart", count=len(items))
    plan = _plan(version, copies.RESPLIT, shares, split.of, warnings=problems.rows())
    with copied(version, plan) as copy:
        yield copy


@contextmanager
def restored(version: DatasetVersion) -> Iterator[Copy]:
    """Copy a version as it is, so that it can become the newest; see `divided`.

    Raises:
        UserError: `version_not_ready`, or `dataset_gone`.
    """
    _check_ready(version)
    split = dict(version.images.values_list("picture__sha256", "split"))
    shares = (version.split_ratio, version.split_seed, version.test_ratio)
    plan = _plan(version, copies.RESTORED, shares, split, warnings=version.warnings)
    with copied(version, plan) as copy:
        yield copy


def _plan(
    version: DatasetVersion,
    source: str,
    shares: tuple[float, int, float],
    split: dict[str, str],
    **said: Any,
) -> Plan:
    names = DatasetClass.objects.filter(version=version).order_by("index")
    layout = {"format": source, "of": str(version.pk)}
    return Plan(
        source=source,
        classes=list(names.values_list("name", flat=True)),
        split=split,
        shares=shares,
        said={"layout": layout, **said},
    )


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
