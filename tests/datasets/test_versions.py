"""Versions beside each other: what is different, and an earlier one made the newest again."""

from typing import Any

import pytest

from accounts.models import User
from datasets import services
from datasets.comparison import compare
from datasets.models import Dataset, DatasetImage, DatasetVersion
from jobs.errors import UserError
from tests import factories
from tests.datasets.importing import Bring
from tests.datasets.samples import encoded
from tests.datasets.test_import_split import scene
from tests.personas import ClientFactory
from tests.storage.zips import Content

pytestmark = pytest.mark.django_db(transaction=True)

_BOX = "0.5 0.5 0.3 0.3\n"


def files_of(labels: dict[int, str], names: str = "[lon, chai]") -> dict[str, Content]:
    """Return a ZIP with the pictures of these numbers."""
    files: dict[str, Content] = {"data.yaml": f"names: {names}\n"}
    for number, text in labels.items():
        files[f"images/p{number:02}.jpg"] = encoded(scene(number), quality=90)
        files[f"labels/p{number:02}.txt"] = text
    return files


def names_of(images: Any) -> list[str]:
    rows = DatasetImage.objects.filter(pk__in=images.examples)
    return sorted(row.file_name for row in rows)


@pytest.fixture
def first(bring: Bring) -> DatasetVersion:
    """Ten pictures with a can each."""
    version: DatasetVersion = bring(files_of(dict.fromkeys(range(10), f"0 {_BOX}"))).version
    return version


@pytest.fixture
def second(bring: Bring, first: DatasetVersion) -> DatasetVersion:
    """Without the first two, with two more, and a bottle in place of one can."""
    labels = dict.fromkeys(range(2, 12), f"0 {_BOX}") | {5: f"1 {_BOX}"}
    version: DatasetVersion = bring(files_of(labels), dataset=first.dataset).version
    return version


class TestCompare:
    def test_names_each_kind_of_difference(
        self, first: DatasetVersion, second: DatasetVersion
    ) -> None:
        found = compare(first, second)
        assert names_of(found.added) == ["p10.jpg", "p11.jpg"]
        assert names_of(found.removed) == ["p00.jpg", "p01.jpg"]
        assert names_of(found.relabelled) == ["p05.jpg"]
        # Known pictures keep their side.
        assert (found.moved.count, found.same) == (0, 7)
        changes = {row.name: (row.before, row.now, row.difference) for row in found.classes}
        assert changes == {"lon": (10, 9, -1), "chai": (0, 1, 1)}

    def test_goes_by_the_names_of_classes(self, bring: Bring, first: DatasetVersion) -> None:
        files = files_of(dict.fromkeys(range(10), f"1 {_BOX}"), names="[hộp, lon]")
        found = compare(first, bring(files, dataset=first.dataset).version)
        assert (found.same, found.relabelled.count) == (10, 0)
        changes = {row.name: (row.before, row.now) for row in found.classes}
        assert changes == {"hộp": (None, 0), "lon": (10, 10), "chai": (0, None)}

    def test_a_new_split_moves_and_changes_nothing_else(self, first: DatasetVersion) -> None:
        made = services.resplit_version(version=first, split_ratio=0.5, split_seed=3)
        found = compare(first, made)
        assert found.moved.count == abs(made.val_images - first.val_images) > 0
        assert found.same == 10 - found.moved.count
        assert found.relabelled.count == found.added.count == found.removed.count == 0

    def test_takes_the_same_queries_for_any_number_of_pictures(
        self, bring: Bring, django_assert_num_queries: Any
    ) -> None:
        for count in (4, 30):
            labels = dict.fromkeys(range(count), f"0 {_BOX}")
            version = bring(files_of(labels), dataset_name=f"{count}").version
            made = services.resplit_version(version=version, split_ratio=0.5)
            with django_assert_num_queries(11):
                compare(version, made)

    def test_by_the_api_and_the_page(
        self, api: ClientFactory, viewer: User, first: DatasetVersion, second: DatasetVersion
    ) -> None:
        address = f"/api/v1/dataset-versions/{second.pk}/compare/"
        body = api(viewer).get(address, {"with": str(first.pk)}).json()
        assert (body["added"]["count"], body["removed"]["count"], body["same"]) == (2, 2, 7)
        page = api(viewer).get(f"/dataset-versions/{second.pk}/compare/{first.pk}/")
        assert "p05.jpg" in page.content.decode()

    def test_of_two_datasets_is_refused(
        self, api: ClientFactory, viewer: User, bring: Bring, first: DatasetVersion
    ) -> None:
        other = bring(files_of({20: f"0 {_BOX}", 21: f"0 {_BOX}"}), dataset_name="khác").version
        address = f"/api/v1/dataset-versions/{other.pk}/compare/"
        answer = api(viewer).get(address, {"with": str(first.pk)})
        assert (answer.status_code, answer.json()["code"]) == (400, "versions_unrelated")
        assert api(viewer).get(address).status_code == 400
        page = api(viewer).get(f"/dataset-versions/{other.pk}/compare/{first.pk}/")
        assert page.status_code == 404

    def test_with_a_strangers_version_is_with_none(
        self, api: ClientFactory, viewer: User, first: DatasetVersion
    ) -> None:
        strange = factories.make_version()
        answer = api(viewer).get(
            f"/api/v1/dataset-versions/{first.pk}/compare/", {"with": str(strange.pk)}
        )
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "does_not_exist"


class TestRestore:
    def test_makes_the_same_the_newest(
        self, api: ClientFactory, editor: User, first: DatasetVersion, second: DatasetVersion
    ) -> None:
        answer = api(editor).post(f"/api/v1/dataset-versions/{first.pk}/restore/")
        assert answer.status_code == 201
        made = DatasetVersion.objects.get(pk=answer.json()["id"])
        assert (made.number, made.status, made.source) == (3, "ready", "restore")
        assert made.fingerprint == first.fingerprint != second.fingerprint
        assert compare(first, made).same == 10
        assert made.layout["of"] == str(first.pk)

    def test_twice_with_one_key_is_once(
        self, api: ClientFactory, editor: User, first: DatasetVersion
    ) -> None:
        address = f"/api/v1/dataset-versions/{first.pk}/restore/"
        answers = [api(editor).post(address, headers={"Idempotency-Key": "k"}) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert first.dataset.versions.count() == 2

    def test_by_the_page(self, api: ClientFactory, editor: User, first: DatasetVersion) -> None:
        answer = api(editor).post(f"/dataset-versions/{first.pk}/restore/")
        made = first.dataset.versions.get(number=2)
        assert answer["Location"].endswith(f"/dataset-versions/{made.pk}/")

    def test_of_a_dataset_that_goes_meanwhile_leaves_nothing(self, first: DatasetVersion) -> None:
        Dataset.objects.filter(pk=first.dataset.pk).delete()
        with pytest.raises(UserError, match="dataset_gone"):
            services.restore_version(version=first)
        assert not DatasetVersion.objects.exists()
