"""What people do with the classes and labels of a version: confirm, change, or throw it away."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from datasets import cleaning, copies
from datasets.copies import Copy
from datasets.editing import Edit, changes, edited
from datasets.models import Dataset, DatasetVersion
from datasets.versions import lock_dataset
from jobs.errors import UserError

_REVIEW = DatasetVersion.Status.REVIEW


@contextmanager
def prepared_edit(version: DatasetVersion, edit: Edit) -> Iterator[Copy | None]:
    """Do what takes long of an edit, outside of a transaction; nothing where it changes nothing.

    Raises:
        UserError: `version_not_ready`, `dataset_gone`, `edit_leaves_nothing`, `edit_without_change`
            of a version that is confirmed already, or what class_edit.class_map says.
    """
    if changes(version, edit):
        with edited(version, edit) as copy:
            yield copy
    elif version.status == _REVIEW:
        yield None
    else:
        raise UserError("edit_without_change")


def apply_edit(*, version: DatasetVersion, copy: Copy | None) -> DatasetVersion:
    """Publish an edit: of a version that waits in its place, of another as the next version.

    This may be part of a transaction.

    Args:
        copy: from `prepared_edit`; nothing confirms a version as it is.

    Raises:
        UserError: `dataset_gone`, or `version_confirmed` by somebody else meanwhile.
    """
    if copy is None:
        return _confirm(version)
    if version.status == _REVIEW:
        return copies.publish_in_place(copy, version)
    return copies.publish(copy)


def edit_version(*, version: DatasetVersion, edit: Edit) -> DatasetVersion:
    """Change classes and labels: confirms a version that waits, or makes the next version.

    Not inside a transaction.

    Raises:
        UserError: what `prepared_edit` and `apply_edit` say.
    """
    with prepared_edit(version, edit) as copy:
        return apply_edit(version=version, copy=copy)


def discard_version(*, version: DatasetVersion) -> None:
    """Throw away a version that waits to be confirmed, and its dataset where it has no other.

    Raises:
        UserError: `version_confirmed` by somebody else meanwhile.
    """
    dataset, project_id = version.dataset_id, version.dataset.project_id
    with transaction.atomic():
        lock_dataset(dataset)
        waiting = DatasetVersion.objects.filter(pk=version.pk, status=_REVIEW)
        if not waiting.update(status=DatasetVersion.Status.FAILED):
            raise UserError("version_confirmed")
    version.clear()
    with transaction.atomic():
        lock_dataset(dataset)
        DatasetVersion.objects.filter(pk=version.pk).delete()
        Dataset.objects.filter(pk=dataset, versions__isnull=True).delete()
    cleaning.remove_unused_pictures(project_id)


def _confirm(version: DatasetVersion) -> DatasetVersion:
    waiting = DatasetVersion.objects.filter(pk=version.pk, status=_REVIEW)
    if not waiting.update(status=DatasetVersion.Status.READY):
        raise UserError("version_confirmed")
    version.status = DatasetVersion.Status.READY
    return version
