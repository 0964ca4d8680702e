"""What runs now and what ended lately, over all projects that a person sees."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from datasets.models import Import
from jobs.models import Job
from training.models import TrainingRun


@dataclass(frozen=True)
class Item:
    """One job as lists show it."""

    job: Job
    kind: str
    title: str
    project: str
    url: str

    @property
    def key(self) -> str:
        """The job's slug and id, unique on a page."""
        return f"{self.job.slug}-{self.job.pk}"


def running(user: Any, *, project: Any = None, limit: int = 20) -> list[Item]:
    """Return the user's jobs that have not ended, newest first, by one query a kind."""
    items = (item for rows in _rows(user, project) for item in _items(rows.active()[:limit]))
    return sorted(items, key=lambda item: item.job.created_at, reverse=True)


def ended(
    user: Any, *, project: Any = None, since: datetime | None = None, limit: int = 6
) -> list[Item]:
    """Return the user's jobs that ended (after `since`), latest first, by one query a kind."""
    found: list[Item] = []
    for rows in _rows(user, project):
        done = rows.filter(finished_at__isnull=False).order_by("-finished_at")
        found += _items((done.filter(finished_at__gt=since) if since else done)[:limit])
    return sorted(found, key=lambda item: str(item.job.finished_at), reverse=True)[:limit]


def _rows(user: Any, project: Any) -> list[Any]:
    rows = [
        Import.objects.visible_to(user).select_related("project", "version__dataset"),
        TrainingRun.objects.visible_to(user).select_related("project"),
    ]
    return [r.filter(project=project) for r in rows] if project else rows


def _items(rows: Iterable[Any]) -> list[Item]:
    return [_item(job) for job in rows]


def _item(job: Any) -> Item:
    if isinstance(job, Import):
        title = str(job.version)
        return Item(job, _("Import"), title, job.project.name, _address("datasets:import", job))
    return Item(job, _("Training"), job.name, job.project.name, _address("training:run", job))


def _address(name: str, job: Job) -> str:
    return reverse(f"{name}_detail", args=[job.pk])
