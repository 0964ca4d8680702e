"""Two at once: numbers, names, clean-up. Run on SQLite here, on PostgreSQL by test_on_postgres."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from datasets import cleaning, services
from datasets.models import Dataset, DatasetVersion, Import, Picture
from jobs.errors import UserError
from projects.models import Project
from tests import factories
from tests.datasets.importing import Bring, labelled_zip, queue_zip

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_delivery")]


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do all at the same time; return what each gave, or its error."""
    results: list[Any] = [None] * len(works)
    gate = threading.Barrier(len(works))

    def run(index: int) -> None:
        try:
            gate.wait()
            results[index] = works[index]()
        except Exception as error:  # noqa: BLE001  the test looks at it
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_no_version_number_is_given_twice(project: Project, owner: User) -> None:
    dataset = factories.make_dataset(project)
    work = lambda: queue_zip(project, owner, b"x", dataset=dataset)  # noqa: E731
    results = at_once(*[work] * 6)
    assert all(isinstance(result, Import) for result in results), results
    assert sorted(dataset.versions.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


def test_of_new_datasets_with_one_name_one_is_made(project: Project, owner: User) -> None:
    results = at_once(*[lambda: queue_zip(project, owner, b"x", dataset_name="Kệ")] * 4)
    errors = [result for result in results if not isinstance(result, Import)]
    assert [type(error) for error in errors] == [UserError] * 3, results
    assert {error.code for error in errors} == {"dataset_name_taken"}
    assert Dataset.objects.count() == Import.objects.count() == 1


def test_a_split_made_anew_and_a_deletion_end_in_one_or_the_other(
    bring: Bring, project: Project
) -> None:
    version = bring(labelled_zip(6)).version
    made, deleted = at_once(
        lambda: services.resplit_version(version=version, split_ratio=0.5),
        lambda: services.delete_dataset(dataset=version.dataset),
    )
    assert isinstance(made, DatasetVersion | UserError), made
    assert deleted is None
    assert not Dataset.objects.exists()
    assert not Picture.objects.exists()


def test_two_clean_ups_and_a_new_import_get_along(
    bring: Bring, project: Project, owner: User
) -> None:
    version = bring(labelled_zip(4)).version
    version.clear()
    clean = lambda: cleaning.remove_unused_pictures(project.pk)  # noqa: E731
    new = lambda: queue_zip(project, owner, labelled_zip(4), dataset_name="new")  # noqa: E731
    removed, too, job = at_once(clean, clean, new)
    assert isinstance(job, Import), job
    assert isinstance(removed, int) and isinstance(too, int)
    # All went, or none: not while an import may be about to use them.
    assert Picture.objects.count() + removed + too == 4
    assert {removed, too} in ({0}, {0, 4})
