"""What runs now and what ended lately, over all projects that a person sees."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from datasets.models import Import
from detection.models import Detection, Evaluation
from jobs.models import Job
from training.models import TrainingRun

_KINDS: tuple[Any, ...] = (Import, TrainingRun, Evaluation)
#: What the title of each kind of job stands on.
RELATED = {
    Import.slug: ("project", "version__dataset"),
    TrainingRun.slug: ("project",),
    Evaluation.slug: ("project", "model"),
    Detection.slug: ("project", "model"),
}


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

    def is_newer_than(self, moment: datetime | None) -> bool:
        """Whether the job ended after a moment; after an unknown one nothing did."""
        return bool(moment and self.job.finished_at and self.job.finished_at > moment)


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
    rows = [model.objects.visible_to(user).select_related(*RELATED[model.slug]) for model in _KINDS]
    # One's own: programs detect all day, and what they do would hide the rest.
    rows.append(
        Detection.objects.visible_to(user)
        .filter(created_by=user)
        .select_related(*RELATED[Detection.slug])
    )
    return [r.filter(project=project) for r in rows] if project else rows


def _items(rows: Iterable[Any]) -> list[Item]:
    return [item_of(job) for job in rows]


def item_of(job: Any) -> Item:
    """Return a job as lists show it; read it with what `RELATED` names."""
    address, kind, title = _said(job)
    url = reverse(f"{address}_detail", args=[job.pk])
    return Item(job, kind, title, job.project.name, url)


def _said(job: Any) -> tuple[str, str, str]:
    """Return where the page of a job is, what kind of work it is, and what it is called."""
    if isinstance(job, Import):
        return "datasets:import", _("Import"), str(job.version)
    if isinstance(job, Evaluation):
        return "detection:evaluation", _("Count and compare"), str(job.model)
    if isinstance(job, Detection):
        return "detection:detection", _("Object detection"), str(job.model)
    return "training:run", _("Training"), job.name
