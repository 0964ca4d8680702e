"""Finds the concrete jobs: every model that inherits `Job`."""

from functools import cache

from django.apps import apps

from jobs.models import Job


@cache
def job_models() -> tuple[type[Job], ...]:
    """Return every concrete job model, in a fixed order."""
    found = (model for model in apps.get_models() if issubclass(model, Job))
    return tuple(sorted(found, key=lambda model: model.slug))


def job_model(slug: str) -> type[Job]:
    """Return the job model of a slug such as `training-runs`.

    Raises:
        LookupError: there is none.
    """
    for model in job_models():
        if model.slug == slug:
            return model
    raise LookupError(f"No job is called {slug}.")
