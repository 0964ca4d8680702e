"""Ends the work on a project that is about to go."""

from jobs import transitions
from jobs.models import Job
from jobs.registry import job_models
from jobs.states import ACTIVE, Status
from projects.access import ScopedQuerySet
from projects.models import Project


def end_jobs(project: Project) -> None:
    """Cancel every active job of a project now, so that its worker can write nothing more."""
    for model in job_models():
        rows = model._default_manager.all()
        if not isinstance(rows, ScopedQuerySet):
            continue
        for job in rows.filter(**{rows.project_path: project}, status__in=ACTIVE):
            _end(job)


def _end(job: Job) -> None:
    """Cancel a job whatever its worker does meanwhile: it may be claimed while we look."""
    while not transitions.move(job, Status.CANCELED):
        job.refresh_from_db()
        if not job.is_active:
            return
