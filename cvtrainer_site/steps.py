"""The three steps of a project, each with its state: import data, train, detect objects."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from cvtrainer_site.numbers import as_text
from datasets.models import Dataset, DatasetVersion, Import
from detection.models import Detection
from jobs.states import ACTIVE, Status
from projects.models import Project
from training.models import TrainedModel, TrainingRun

NAMES: dict[str, Promise] = {
    "data": _("Import data"),
    "training": _("Training"),
    "detection": _("Object detection"),
}
ADDRESSES = {
    "data": "datasets:dataset_list",
    "training": "training:run_list",
    "detection": "detection:detect",
}


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        state: done, next, check, working, problem, or waiting for the step before it.
    """

    number: int
    key: str
    name: str
    url: str
    state: str
    text: str


def with_steps(projects: QuerySet[Any]) -> QuerySet[Any]:
    """Add to each project what its steps are made of, in the same query."""
    versions = DatasetVersion.objects.ready().filter(dataset__project=OuterRef("pk"))
    images = F("train_images") + F("val_images") + F("test_images")
    annotated: QuerySet[Any] = projects.annotate(
        ready_datasets=_count(Dataset, "project", versions__status="ready"),
        ready_images=Subquery(versions.annotate(n=images).values("n")[:1]),
        to_check=_count(Dataset, "project", versions__status="review"),
        importing=_count(Import, "project", status__in=ACTIVE),
        last_import=_last(Import),
        training=_count(TrainingRun, "project", status__in=ACTIVE, paused_at__isnull=True),
        last_run=_last(TrainingRun),
        models_made=_count(TrainedModel, "project"),
        detections_made=_count(Detection, "project", status=Status.SUCCEEDED),
    )
    return annotated


def steps_of(project: Any) -> list[Step]:
    """Return the three steps of a project that came from `with_steps`."""
    states = (_data(project), _training(project), _detection(project))
    return [
        Step(n, key, str(NAMES[key]), reverse(ADDRESSES[key], args=[project.pk]), state, text)
        for n, (key, (state, text)) in enumerate(zip(NAMES, states, strict=True), start=1)
    ]


def steps_by_id(project: Project) -> list[Step]:
    """Return the three steps of one project, by one query."""
    return steps_of(with_steps(Project.objects.filter(pk=project.pk)).get())


def next_action(steps: list[Step]) -> dict[str, str]:
    """Return the one thing to do next in a project: its address and what its button says."""
    actions = {
        "data": _("Import data"),
        "training": _("Start training"),
        "detection": _("Detect objects"),
    }
    for step in steps:
        if step.state == "working":
            return {"url": step.url, "action": str(_("See how it is doing"))}
        if step.state == "check":
            return {"url": step.url, "action": str(_("Check and confirm"))}
        if step.state in {"next", "problem"}:
            return {"url": step.url, "action": str(actions[step.key])}
    return {"url": steps[-1].url, "action": str(actions["detection"])}


def _data(project: Any) -> tuple[str, str]:
    if project.importing:
        return "working", str(_("Importing"))
    if project.ready_datasets:
        n = project.ready_images or 0
        return "done", ngettext("{n} picture", "{n} pictures", n).format(n=as_text(n))
    if project.to_check:
        return "check", str(_("To be checked"))
    if project.last_import == Status.FAILED:
        return "problem", str(_("The import failed"))
    return "next", str(_("No data yet"))


def _training(project: Any) -> tuple[str, str]:
    if project.training:
        return "working", str(_("Training now"))
    if n := project.models_made:
        return "done", ngettext("{n} model", "{n} models", n).format(n=as_text(n))
    if project.last_run == Status.FAILED:
        return "problem", str(_("The last run failed"))
    if project.ready_datasets:
        return "next", str(_("Ready to train"))
    return "waiting", str(_("Needs data first"))


def _detection(project: Any) -> tuple[str, str]:
    if n := project.detections_made:
        return "done", ngettext("{n} detection", "{n} detections", n).format(n=as_text(n))
    if project.models_made:
        return "next", str(_("Ready to try"))
    return "waiting", str(_("Needs a model first"))


def _count(model: type[Any], path: str, **filters: Any) -> Subquery:
    rows = model.objects.order_by().filter(**{path: OuterRef("pk")}, **filters)
    counted = rows.values(path).annotate(n=Count("pk", distinct=True)).values("n")
    return Subquery(counted[:1])


def _last(model: type[Any]) -> Subquery:
    rows = model.objects.filter(project=OuterRef("pk")).order_by("-created_at")
    return Subquery(rows.values("status")[:1])
