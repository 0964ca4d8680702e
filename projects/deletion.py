"""What goes with a project: the work on it, and the files that its rows name."""

import logging
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.files.storage import Storage
from django.db.models import FileField, Model

from jobs import transitions
from jobs.models import Job
from jobs.registry import job_models
from jobs.states import ACTIVE, Status
from projects.access import ScopedQuerySet
from projects.models import Project

log = logging.getLogger(__name__)

StoredFile = tuple[Storage, str]


def end_jobs(project: Project) -> None:
    """Cancel every active job of a project now, so that its worker can write nothing more."""
    for model in job_models():
        for job in _rows(model, project).filter(status__in=ACTIVE):
            _end(job)


def _end(job: Job) -> None:
    """Cancel a job whatever its worker does meanwhile: it may be claimed while we look."""
    while not transitions.move(job, Status.CANCELED):
        job.refresh_from_db()
        if not job.is_active:
            return


def stored_files(project: Project) -> list[StoredFile]:
    """Return every file that rows of a project name, in whatever app."""
    return [
        (field.storage, name)
        for model in apps.get_models()
        for field in file_fields(model)
        for name in _rows(model, project).values_list(field.name, flat=True).iterator()
        if name
    ]


def remove_files(files: list[StoredFile]) -> None:
    """Remove files whose rows are gone; one that cannot be removed keeps no other."""
    for storage, name in files:
        try:
            storage.delete(name)
        except Exception:  # each storage has errors of its own
            log.exception("The file %s stays behind: its row is gone", name)


def file_fields(model: type[Model]) -> Iterator[Any]:
    """Yield the fields of a model that name files."""
    yield from (field for field in model._meta.local_fields if isinstance(field, FileField))


def _rows(model: type[Model], project: Project) -> Any:
    rows = model._default_manager.all()
    if not isinstance(rows, ScopedQuerySet):
        return rows.none()
    return rows.filter(**{rows.project_path or "pk": project})
