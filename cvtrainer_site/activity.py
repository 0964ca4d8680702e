"""What runs now and what ended lately, over all projects that a person sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Value
from django.urls import reverse
from django.utils.translation import gettext as _

from datasets.models import Import
from detection.models import Detection, Evaluation
from jobs.models import Job
from training.models import TrainingRun

#: A job's slug and id.
Key = tuple[str, UUID]

_KINDS: tuple[Any, ...] = (Import, TrainingRun, Evaluation, Detection)
#: Of what runs, as many are shown.
_MOST = 50
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


def running(user: Any, *, project: Any = None) -> list[Item]:
    """Return the user's jobs that have not ended, newest first; see `items`."""
    on = [(_going_on(rows), "created_at") for rows in _rows(user, project)]
    return items([key for key, _ in _latest(on, limit=_MOST)])


def ended(user: Any, *, project: Any = None, limit: int = 6) -> list[Item]:
    """Return the user's jobs that ended, latest first; see `items`."""
    over = [
        (rows.filter(finished_at__isnull=False), "finished_at") for rows in _rows(user, project)
    ]
    return items([key for key, _ in _latest(over, limit=limit)])


def glance(user: Any, since: datetime | None) -> tuple[list[Key], list[Key]]:
    """Return which jobs of the user run, newest first, and which ended since, by one query."""
    kinds = _rows(user, None)
    wanted = [(_going_on(rows), "created_at") for rows in kinds]
    if since is not None:
        wanted += [(rows.filter(finished_at__gt=since), "finished_at") for rows in kinds]
    found = _latest(wanted, limit=_MOST)
    on = [key for key, finished_at in found if finished_at is None]
    return on, [key for key, finished_at in found if finished_at is not None]


def items(keys: Sequence[Key]) -> list[Item]:
    """Return jobs as lists show them, by one query for each kind that is among them."""
    found: dict[Key, Item] = {}
    for model in _KINDS:
        if ids := [pk for slug, pk in keys if slug == model.slug]:
            rows = model.objects.filter(pk__in=ids).select_related(*RELATED[model.slug])
            found |= {(job.slug, job.pk): item_of(job) for job in rows}
    return [found[key] for key in keys if key in found]


def _rows(user: Any, project: Any) -> list[Any]:
    rows = [model.objects.visible_to(user) for model in _KINDS]
    # One's own: programs detect all day, and what they do would hide the rest.
    rows[-1] = rows[-1].filter(created_by=user)
    return [r.filter(project=project) for r in rows] if project else rows


def _going_on(rows: Any) -> Any:
    """Return the active ones; what has no end is found by an index, beside a million that have."""
    return rows.active().filter(finished_at__isnull=True)


def _latest(wanted: Sequence[tuple[Any, str]], *, limit: int) -> list[tuple[Key, datetime | None]]:
    """Return slug and id of the latest jobs, and their ends, by one query.

    Args:
        wanted: rows of one kind each, and the column by which they are the latest.
    """
    first, *rest = [
        # Of each kind only so many: there may be a million other detections.
        rows.model.objects.filter(pk__in=rows.order_by(f"-{when}", "pk").values("pk")[:limit])
        .order_by()
        .annotate(kind=Value(rows.model.slug), when=F(when))
        .values_list("kind", "pk", "finished_at", "when")
        for rows, when in wanted
    ]
    # Where two are as late as each other, always in the same order.
    union = first.union(*rest, all=True).order_by("-when", "pk")
    return [((slug, pk), finished_at) for slug, pk, finished_at, _ in union[:limit]]


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
