"""How a dataset gets its next version."""

from django.db.models import Max

from datasets.models import Dataset, DatasetVersion
from jobs.errors import UserError


def lock_dataset(dataset_id: object) -> bool:
    """Make whoever adds to a dataset, or deletes it, wait for the transaction's end.

    Returns:
        False where it is gone.
    """
    rows = Dataset.objects.select_for_update(no_key=True).filter(pk=dataset_id)
    return rows.first() is not None


def next_version(
    dataset: Dataset, source: str, split_ratio: float, split_seed: int, test_ratio: float
) -> DatasetVersion:
    """Make the next version, in a transaction; the lock sees to it that no number is given twice.

    Raises:
        UserError: `dataset_gone`.
    """
    if not lock_dataset(dataset.pk):
        raise UserError("dataset_gone")
    newest = dataset.versions.aggregate(newest=Max("number"))["newest"] or 0
    return DatasetVersion.objects.create(
        dataset=dataset,
        number=newest + 1,
        source=source,
        split_ratio=split_ratio,
        split_seed=split_seed,
        test_ratio=test_ratio,
    )
