"""What people do with datasets: import into them, split them anew, rename and remove them."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

import datasets.errors  # noqa: F401  registers the codes
from accounts.models import User
from datasets.models import Dataset, DatasetVersion, Import, Picture, images_storage, uploads_storage
from jobs import queue
from jobs.errors import UserError
from jobs.states import ACTIVE
from projects.models import Project
from projects.names import clean_name
from storage.errors import StorageError
from storage.local import put_file
from storage.names import id_name


def create_import(
    *,
    project: Project,
    user: User,
    file: Any,
    dataset: Dataset | None = None,
    dataset_name: str = "",
    split_ratio: float = 0.2,
    split_seed: int = 0,
    keep_splits: bool = True,
) -> Import:
    """Store a ZIP and queue its import as the next version of a dataset.

    Args:
        file: an uploaded file; its name is shown, never used as a path.
        dataset: one of the project's; without it a new one is made.
        dataset_name: of the new one; the file's name where it is empty.
        split_ratio: share of the pictures that goes to validation, 0 < r < 1.

    Raises:
        UserError: the dataset is another project's, its name is taken, or the disk is full.
        ValidationError: the name is not one.
    """
    if dataset is not None and dataset.project_id != project.pk:
        raise UserError("dataset_foreign")
    job = Import(project=project, created_by=user, source=Import.Source.ZIP)
    job.keep_splits, job.file_name = keep_splits, Path(str(file.name or "")).name[:255]
    _store_upload(job, file)
    try:
        with transaction.atomic():
            home = dataset or _new_dataset(project, dataset_name or Path(job.file_name).stem)
            job.version = _next_version(home, job.source, split_ratio, split_seed)
            job.save()
            queue.submit(job)
    except BaseException:
        uploads_storage().delete(job.file.name)
        raise
    return job


def rename_dataset(*, dataset: Dataset, name: str) -> Dataset:
    """Give a dataset another name.

    Raises:
        UserError: `dataset_name_taken`.
        ValidationError: the name is not one.
    """
    dataset.name = clean_name(name)
    try:
        with transaction.atomic():
            dataset.save(update_fields=["name"])
    except IntegrityError as error:
        raise UserError("dataset_name_taken", name=name) from error
    return dataset


def delete_dataset(*, dataset: Dataset) -> None:
    """Remove a dataset with its versions and the pictures that no other dataset uses.

    Raises:
        UserError: `dataset_in_use`, a training was made with it.
    """
    if dataset.versions.filter(training_runs__isnull=False).exists():
        raise UserError("dataset_in_use")
    uploads = []
    with transaction.atomic():
        for job in Import.objects.filter(version__dataset=dataset):
            if job.status in ACTIVE:
                queue.cancel(job)
            uploads.append(job.file.name)
        project_id = dataset.project_id
        dataset.delete()
        transaction.on_commit(lambda: _clean_up(uploads), robust=True)
    remove_unused_pictures(project_id)


def remove_unused_pictures(project_id: Any) -> int:
    """Remove the pictures of a project that no version uses any more; return how many.

    Not while an import runs: it may just be about to use one of them.
    """
    if Import.objects.filter(project=project_id, status__in=ACTIVE).exists():
        return 0
    unused = Picture.objects.filter(project=project_id, uses__isnull=True)
    rows = list(unused.values_list("pk", "file", "thumbnail"))
    for pk, *names in rows:
        Picture.objects.filter(pk=pk, uses__isnull=True).delete()
        for name in names:
            images_storage().delete(name)
    return len(rows)


def _store_upload(job: Import, file: Any) -> None:
    """Put the upload where the worker finds it; a file that is on the disk already is moved."""
    name = id_name("imports", job.pk, ".zip")
    storage = uploads_storage()
    with suppress(NotImplementedError, AttributeError, OSError):
        source, target = Path(file.temporary_file_path()), Path(storage.path(name))
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.rename(target)
        job.file.name = name
        return
    try:
        put_file(storage, name, file.chunks())
    except StorageError as error:
        raise UserError(error.code, **error.params) from error
    job.file.name = name


def _new_dataset(project: Project, name: str) -> Dataset:
    try:
        with transaction.atomic():
            return Dataset.objects.create(project=project, name=clean_name(name))
    except IntegrityError as error:
        raise UserError("dataset_name_taken", name=name) from error


def _next_version(
    dataset: Dataset, source: str, split_ratio: float, split_seed: int
) -> DatasetVersion:
    """Make the next version; the dataset is locked, so that no number is given twice."""
    Dataset.objects.select_for_update().get(pk=dataset.pk)
    newest = dataset.versions.aggregate(newest=Max("number"))["newest"] or 0
    return DatasetVersion.objects.create(
        dataset=dataset,
        number=newest + 1,
        source=source,
        split_ratio=split_ratio,
        split_seed=split_seed,
    )


def _clean_up(uploads: list[str]) -> None:
    for name in filter(None, uploads):
        uploads_storage().delete(name)
