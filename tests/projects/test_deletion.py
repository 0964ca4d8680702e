"""Deleting a project: nothing of it is left, and nothing of another goes."""

from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import storages

from projects import services
from projects.access import ScopedQuerySet
from projects.deletion import file_fields, stored_files
from projects.models import Project
from tests import factories
from training.models import Checkpoint

STORAGES = ("uploads", "images", "weights", "artifacts")


def fill(project: Project) -> None:
    """Give a project a file of every kind."""
    version = factories.make_version(factories.make_dataset(project))
    factories.make_image(version)
    run = factories.make_run(dataset_version=version)
    factories.make_artifact(run)
    model = factories.make_model(project, training_run=run, dataset_version=version)
    checkpoint = Checkpoint(run=run, kind="last", epoch=1, attempt=1, size=1)
    checkpoint.file.save(f"{run.pk}.pt", factories.ContentFile(b"x"), save=True)
    factories.make_detection_image(factories.make_detection(model=model))
    upload = factories.make_import(project)
    upload.file.save(f"{upload.pk}.zip", factories.ContentFile(b"x"), save=True)


def exist(files: list[Any]) -> list[bool]:
    return [storage.exists(name) for storage, name in files]


def test_its_files_go_and_others_stay(
    project: Project, django_capture_on_commit_callbacks: Any
) -> None:
    other = factories.make_project()
    fill(project)
    fill(other)
    mine, theirs = stored_files(project), stored_files(other)
    assert len(mine) == len(theirs) == 7
    assert all(exist(mine))

    with django_capture_on_commit_callbacks(execute=True):
        services.delete_project(project=project)

    assert not any(exist(mine))
    assert all(exist(theirs))
    assert stored_files(other) == theirs


def test_a_file_that_cannot_be_removed_keeps_no_other(
    project: Project, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(project)
    files = stored_files(project)
    broken = type(storages["weights"])
    delete = broken.delete

    def refuse_some(self: Any, name: str) -> None:
        if name.endswith(".pt"):
            raise PermissionError(name)
        delete(self, name)

    monkeypatch.setattr(broken, "delete", refuse_some)
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_project(project=project)

    assert not Project.objects.filter(pk=project.pk).exists()
    assert [name for storage, name in files if storage.exists(name)] == [
        name for _, name in files if name.endswith(".pt")
    ]


@pytest.mark.parametrize(
    "model",
    [model for model in apps.get_models() if any(file_fields(model))],
    ids=lambda model: model._meta.label,
)
def test_every_file_leads_to_its_project(model: Any) -> None:
    """Else it would stay behind."""
    assert isinstance(model._default_manager.all(), ScopedQuerySet)
