"""What people do with datasets: import into them, split them anew, rename and remove them."""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

import datasets.errors  # noqa: F401  registers the codes
from accounts.models import User
from datasets.fingerprint import Fingerprint
from datasets.models import (
    Dataset,
    DatasetClass,
    DatasetImage,
    DatasetVersion,
    ImageClass,
    Import,
    Picture,
    images_storage,
    uploads_storage,
)
from datasets.split import SplitItem, divide
from jobs import queue, transitions
from jobs.errors import UserError
from jobs.states import ACTIVE
from projects.models import Project
from projects.names import clean_name
from storage.errors import StorageError
from storage.local import put_file
from storage.names import id_name

_ROWS = 500
_FEWEST = 2


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


def drop_upload(*, job: Import) -> None:
    """Remove the uploaded file once the transaction that makes it superfluous has committed."""
    name = job.file.name
    transaction.on_commit(lambda: _clean_up([name]), robust=True)


def discard_import(*, job: Import) -> None:
    """Remove all that an import that does not succeed has brought in, and its upload."""
    with transitions.fenced(job):
        DatasetImage.objects.filter(version=job.version_id).delete()
        DatasetClass.objects.filter(version=job.version_id).delete()
        drop_upload(job=job)
    remove_unused_pictures(job.project_id, but=job)


def resplit_version(
    *, version: DatasetVersion, split_ratio: float, split_seed: int = 0
) -> DatasetVersion:
    """Make the next version of a dataset: the same pictures and boxes, divided anew.

    Raises:
        UserError: `version_not_ready`, or `too_few_pictures` to divide.
    """
    if version.status != DatasetVersion.Status.READY:
        raise UserError("version_not_ready")
    images = list(version.images.select_related("picture").prefetch_related("classes"))
    if len(images) < _FEWEST:
        raise UserError("too_few_pictures")
    items = [
        SplitItem(image.picture.sha256, frozenset(int(row[0]) for row in image.boxes))
        for image in images
    ]
    sides = divide(items, ratio=split_ratio, seed=split_seed)
    with transaction.atomic():
        made = _next_version(version.dataset, "resplit", split_ratio, split_seed)
        _copy_images(version, made, images, sides)
    return made


def remove_unused_pictures(project_id: Any, *, but: Import | None = None) -> int:
    """Remove the pictures of a project that no version uses any more; return how many.

    Not while an import (other than `but`) runs: it may just be about to use one of them.
    """
    running = Import.objects.filter(project=project_id, status__in=ACTIVE)
    if running.exclude(pk=but.pk if but else None).exists():
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


def _copy_images(
    version: DatasetVersion, made: DatasetVersion, images: list[Any], sides: dict[str, str]
) -> None:
    """Give the new version the classes and images of the old one, each image on its new side."""
    classes = {
        row.index: DatasetClass(
            version=made, index=row.index, name=row.name, boxes=row.boxes, images=row.images
        )
        for row in version.classes.all()
    }
    DatasetClass.objects.bulk_create(classes.values())
    fingerprint = Fingerprint([classes[index].name for index in sorted(classes)])
    copies, uses = [], []
    for image in images:
        copy = DatasetImage(
            version=made,
            picture=image.picture,
            position=image.position,
            file_name=image.file_name,
            split=sides[image.picture.sha256],
            boxes=image.boxes,
        )
        copies.append(copy)
        fingerprint.add(image.picture.sha256, copy.split, copy.boxes)
        counted = Counter(int(row[0]) for row in copy.boxes)
        uses += [
            ImageClass(image=copy, dataset_class=classes[index], boxes=number)
            for index, number in counted.items()
        ]
    DatasetImage.objects.bulk_create(copies, batch_size=_ROWS)
    ImageClass.objects.bulk_create(uses, batch_size=_ROWS)
    counts = Counter(copy.split for copy in copies)
    made.train_images, made.val_images = counts["train"], counts["val"]
    made.boxes, made.layout = version.boxes, {"format": "resplit", "of": str(version.pk)}
    made.fingerprint, made.status = fingerprint.hexdigest(), DatasetVersion.Status.READY
    made.save()


def _clean_up(uploads: list[str]) -> None:
    for name in filter(None, uploads):
        uploads_storage().delete(name)
