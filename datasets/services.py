"""What people do with datasets: import into them, split them anew, rename and remove them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import RestrictedError

import datasets.errors  # noqa: F401  registers the codes
from accounts.models import User
from datasets import cleaning, copies, resplit
from datasets.models import Dataset, DatasetVersion, Import, ImportSecret
from datasets.names import printable
from datasets.quota import quota_of
from datasets.sources.custom_vision.address import Address
from datasets.uploads import StoredUpload
from datasets.versions import next_version
from jobs import queue
from jobs.errors import UserError
from projects.models import Project
from projects.names import MAX_LENGTH, clean_name
from storage.sealing import seal

_CUSTOM_VISION = "Custom Vision"


def create_import(
    *,
    project: Project,
    user: User,
    upload: StoredUpload,
    dataset: Dataset | None = None,
    dataset_name: str = "",
    split_ratio: float = 0.2,
    split_seed: int = 0,
    test_ratio: float = 0.0,
    keep_splits: bool = True,
    review: bool = False,
    adds: bool = False,
) -> Import:
    """Queue the import of a stored ZIP as the next version of a dataset.

    Args:
        upload: from `uploads.stored_upload` or `taken_upload`; the import owns it from now on.
        dataset: one of the project's; without it a new one is made.
        dataset_name: of the new one; the file's name where it is empty.
        split_ratio: share of the pictures that goes to validation, 0 < r < 1.
        test_ratio: share that goes to the test; with the other one below 1.
        review: somebody confirms the version before it can be used.
        adds: the pictures of the dataset's newest version stay, and these come to them.

    Raises:
        UserError: the dataset is another project's, its name is taken, `split_shares`,
            `upload_used`, `upload_quota`, or `dataset_busy`.
        ValidationError: the name is not one.
    """
    job = Import(pk=upload.import_id, project=project, created_by=user, source=Import.Source.ZIP)
    job.keep_splits, job.file_name = keep_splits, upload.file_name
    job.review, job.adds = review, adds
    job.file.name, job.file_size = upload.name, upload.size
    name = dataset_name or _name_after(job.file_name)
    with transaction.atomic():
        upload.claim()
        with _new_version(job, dataset, name, (split_ratio, split_seed, test_ratio)):
            if not upload.has_row:  # one that came in pieces had its room from the start
                quota_of(project, user, without=job).check(upload.size)
            queue.submit(job)
    upload.is_taken = True
    return job


def create_custom_vision_import(
    *,
    project: Project,
    user: User,
    address: Address,
    training_key: str,
    dataset: Dataset | None = None,
    dataset_name: str = "",
    split_ratio: float = 0.2,
    split_seed: int = 0,
    test_ratio: float = 0.0,
    include_untagged: bool = False,
    review: bool = False,
    adds: bool = False,
) -> Import:
    """Queue the import of a Custom Vision project as the next version of a dataset.

    Args:
        address: checked by `custom_vision.address_of`.
        training_key: sealed while the import lives, and gone when it ends.
        dataset: one of the project's; without it a new one is made.
        dataset_name: of the new one; `Custom Vision` where it is empty.
        split_ratio: share of the pictures that goes to validation, 0 < r < 1.
        test_ratio: share that goes to the test; with the other one below 1.
        include_untagged: take pictures without a tag as pictures with nothing on them.
        review: somebody confirms the version before it can be used.
        adds: the pictures of the dataset's newest version stay, and these come to them.

    Raises:
        UserError: the dataset is another project's, or its name is taken; `split_shares`, or
            `dataset_busy`.
        ValidationError: the name is not one.
    """
    job = Import(project=project, created_by=user, source=Import.Source.CUSTOM_VISION)
    job.endpoint, job.origin = address.endpoint, address.project
    job.include_untagged = include_untagged
    job.review, job.adds = review, adds
    with _new_version(
        job, dataset, dataset_name or _CUSTOM_VISION, (split_ratio, split_seed, test_ratio)
    ):
        ImportSecret.objects.create(import_job=job, sealed=seal(training_key, str(job.pk)))
        queue.submit(job)
    return job


@contextmanager
def _new_version(
    job: Import, dataset: Dataset | None, name: str, split: tuple[float, int, float]
) -> Iterator[None]:
    """Save an import with the version that it is to fill, in one transaction with the block."""
    if dataset is not None and dataset.project_id != job.project_id:
        raise UserError("dataset_foreign")
    _check_shares(split[0], split[2])
    with transaction.atomic():
        _lock(job.project)
        home = dataset or _new_dataset(job.project, name)
        if job.adds:
            _check_quiet(home)
        job.version = next_version(home, job.source, *split)
        job.save()
        yield


def retry_import(*, job: Import) -> None:
    """Queue an import again that failed through our fault, with the same upload.

    Raises:
        UserError: `not_resumable`, it has not failed; `upload_gone`.
    """
    with transaction.atomic():
        _lock(job.project)
        job.refresh_from_db()
        if not job.is_active and not job.may_be_retried:
            raise UserError("upload_gone")
        queue.retry(job)


def rename_dataset(*, dataset: Dataset, name: str) -> Dataset:
    """Give a dataset another name.

    Raises:
        UserError: `dataset_name_taken`.
        ValidationError: the name is not one.
    """
    dataset.name = clean_name(name)
    try:
        with transaction.atomic():
            _lock(dataset.project)
            dataset.save(update_fields=["name"])
    except IntegrityError as error:
        raise UserError("dataset_name_taken", name=dataset.name) from error
    return dataset


def delete_dataset(*, dataset: Dataset) -> None:
    """Remove a dataset with its versions and the pictures that no other dataset uses.

    An import that is on loses its row, and with it the right to write anything more.

    Raises:
        UserError: `dataset_in_use`, a training was made with it.
    """
    with transaction.atomic():
        Dataset.objects.select_for_update().filter(pk=dataset.pk).first()
        imports = list(Import.objects.filter(version__dataset=dataset))
        for job in imports:
            with suppress(UserError):  # it has ended
                queue.cancel(job)
            transaction.on_commit(job.drop_upload, robust=True)
        try:
            Dataset.objects.filter(pk=dataset.pk).delete()
        except RestrictedError as error:
            raise UserError("dataset_in_use") from error
    cleaning.remove_unused_pictures(dataset.project_id)


def resplit_version(
    *, version: DatasetVersion, split_ratio: float, split_seed: int = 0, test_ratio: float = 0.0
) -> DatasetVersion:
    """Make the next version of a dataset: the same pictures and boxes, divided anew.

    Pictures that were kept for the test stay so, and count for its share. Not inside a transaction:
    what takes long is to be seen by nobody, and yet keep nobody waiting.

    Raises:
        UserError: `version_not_ready`, `dataset_gone`, `split_shares`, or `too_few_pictures` to
            divide.
    """
    with copy_version(
        version=version, split_ratio=split_ratio, split_seed=split_seed, test_ratio=test_ratio
    ) as copy:
        return publish_copy(copy=copy)


def copy_version(
    *, version: DatasetVersion, split_ratio: float, split_seed: int = 0, test_ratio: float = 0.0
) -> AbstractContextManager[copies.Copy]:
    """Do what takes long of `resplit_version`; a copy that is not published goes at the end."""
    _check_shares(split_ratio, test_ratio)
    return resplit.divided(version, split_ratio, split_seed, test_ratio)


def restore_version(*, version: DatasetVersion) -> DatasetVersion:
    """Make an earlier version the newest again: the next one, with the same content.

    Raises:
        UserError: `version_not_ready`, or `dataset_gone`.
    """
    with resplit.restored(version) as copy:
        return publish_copy(copy=copy)


def publish_copy(*, copy: copies.Copy) -> DatasetVersion:
    """Make a copy the next version that can be used; this may be part of a transaction.

    Raises:
        UserError: `dataset_gone`.
    """
    return copies.publish(copy)


def _check_quiet(dataset: Dataset) -> None:
    """Refuse to add to a dataset while its next version is on the way: which is the newest?"""
    open_ones = [DatasetVersion.Status.IMPORTING, DatasetVersion.Status.REVIEW]
    if dataset.versions.filter(status__in=open_ones).exists():
        raise UserError("dataset_busy")


def _check_shares(split_ratio: float, test_ratio: float) -> None:
    if not (test_ratio >= 0 and split_ratio + test_ratio < 1):
        raise UserError("split_shares")


def _lock(project: Project) -> None:
    """Make whoever else starts an import here, or cleans up, wait for the transaction's end."""
    Project.objects.select_for_update(no_key=True).filter(pk=project.pk).first()


def _name_after(uploaded: str) -> str:
    return printable(Path(uploaded).stem)[:MAX_LENGTH].strip() or "Dataset"


def _new_dataset(project: Project, name: str) -> Dataset:
    """Make a dataset; one of this name whose imports all failed is taken again."""
    name = clean_name(name)
    there = Dataset.objects.filter(project=project, name=name).first()
    if there is None:
        return Dataset.objects.create(project=project, name=name)
    if there.versions.exclude(status=DatasetVersion.Status.FAILED).exists():
        raise UserError("dataset_name_taken", name=name)
    found: Dataset = there
    return found
