"""What Custom Vision's own models reach goes along from version to version, class by class."""

from typing import Any

import pytest

from accounts.models import User
from datasets import reviewing, services
from datasets.baselines import baseline_of, class_name
from datasets.class_edit import ClassChange
from datasets.editing import Edit
from datasets.models import DatasetVersion
from datasets.tasks import run_import
from projects.models import Project
from tests.custom_vision.conftest import BEER, CAN, ImportIt, fill
from tests.custom_vision.emulator import Emulator
from tests.custom_vision.test_api import body_for
from tests.datasets.importing import import_zip, labelled_zip
from tests.factories import make_version
from tests.personas import ClientFactory

pytestmark = pytest.mark.django_db(transaction=True)


def performance(name: str, precision: float) -> dict[str, Any]:
    """Return what the API says of a tag."""
    return {"name": name, "precision": precision, "recall": 0.8, "averagePrecision": 0.85}


def by_class(version: DatasetVersion) -> dict[str, float]:
    """Return the precision of each class that has a baseline."""
    baseline = baseline_of(version)
    return {name: row["precision"] for name, row in baseline.by_class.items()} if baseline else {}


@pytest.fixture
def version(emulator: Emulator, import_it: ImportIt) -> DatasetVersion:
    """An imported project with one published iteration."""
    fill(emulator, 8)
    emulator.publish("kệ", [performance(BEER, 0.9), performance(CAN, 0.7)])
    return DatasetVersion.objects.get(pk=import_it().version_id)


def test_a_new_split_and_a_restored_version_have_them_too(version: DatasetVersion) -> None:
    wanted = {BEER: 0.9, CAN: 0.7}
    assert by_class(version) == wanted
    made = services.resplit_version(version=version, split_ratio=0.4, split_seed=2)
    assert by_class(made) == wanted
    assert by_class(services.restore_version(version=version)) == wanted


def test_they_follow_classes_that_get_another_name(version: DatasetVersion) -> None:
    swapped = Edit((ClassChange(1, BEER), ClassChange(0, CAN)))
    made = reviewing.edit_version(version=version, edit=swapped)
    assert by_class(made) == {BEER: 0.7, CAN: 0.9}
    edit = Edit((ClassChange(0, "lon"), ClassChange(1, CAN)))
    again = reviewing.edit_version(version=made, edit=edit)
    assert by_class(again) == {"lon": 0.7, CAN: 0.9}
    # What Custom Vision called them is still told.
    assert [row["name"] for row in again.baselines[0]["classes"]] == [BEER, CAN]


def test_no_figure_is_of_classes_that_were_merged_or_went(version: DatasetVersion) -> None:
    edit = Edit((ClassChange(0, BEER), ClassChange(1, BEER)))
    merged = reviewing.edit_version(version=version, edit=edit)
    assert by_class(merged) == {}
    assert merged.baselines[0]["precision"] == 0.91
    edit = Edit((ClassChange(0, BEER), ClassChange(1, CAN, drop=True)))
    dropped = reviewing.edit_version(version=version, edit=edit)
    assert by_class(dropped) == {BEER: 0.9}


def test_what_is_added_to_keeps_them(
    version: DatasetVersion, project: Project, owner: User
) -> None:
    options = {"dataset": version.dataset, "dataset_name": ""}
    job = import_zip(project, owner, labelled_zip(4), adds=True, **options)
    assert by_class(job.version) == {BEER: 0.9, CAN: 0.7}
    # Other pictures in their place were never seen by those models.
    job = import_zip(project, owner, labelled_zip(4), **options)
    assert job.version.baselines == []


def test_the_same_iteration_added_again_is_one(
    version: DatasetVersion, emulator: Emulator, api: ClientFactory, owner: User
) -> None:
    emulator.publish("mới", [performance(BEER, 0.95)])
    emulator.iterations[-1]["trainedAt"] = "2026-06-01T08:00:00.000Z"
    body = body_for(emulator, version.dataset.project)
    body |= {"source": "custom_vision", "dataset": str(version.dataset_id), "mode": "add"}
    job = api(owner).post("/api/v1/imports/", body, format="json").json()
    run_import(job["id"])
    made = DatasetVersion.objects.get(pk=job["dataset_version"])
    assert made.parent == version
    assert [row["published_as"] for row in made.baselines] == ["mới", "kệ"]
    assert by_class(made) == {BEER: 0.95}


def test_two_tags_of_one_name_are_compared_with_nothing() -> None:
    rows = [{"name": " Lon\u200b", "precision": 1}, {"name": "Lon", "precision": 0}]
    version = make_version(baselines=[{"published_as": "x", "classes": rows}])
    assert [class_name(row) for row in rows] == ["Lon", "Lon"]
    assert by_class(version) == {}
    assert baseline_of(None, make_version()) is None
