"""The page that puts runs beside one another; which ones stands in its address."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from jobs.errors import UserError
from projects.models import Project
from projects.pages import get_project, render_page
from training.comparison import FEWEST, MOST, Comparison, comparable
from training.comparison_table import tables_of
from training.forms import as_uuid
from training.models import TrainingRun
from training.option import Text

_MORE, _LESS = _("higher is better"), _("lower is better")
#: What is drawn, in this order: name of the column, title, which way is better; the API has more.
_CHARTS: tuple[tuple[str, Text, Text], ...] = (
    ("val/map50", "mAP50", _MORE),
    ("val/map50_95", "mAP50-95", _MORE),
    ("val/precision", _("Precision"), _MORE),
    ("val/recall", _("Recall"), _MORE),
    ("val/box_loss", _("Loss of position, validation"), _LESS),
    ("val/cls_loss", _("Loss of class, validation"), _LESS),
    ("train/box_loss", _("Loss of position, training"), _LESS),
    ("train/cls_loss", _("Loss of class, training"), _LESS),
    ("lr", _("Learning rate"), ""),
)
_COLUMNS = [name for name, _label, _note in _CHARTS]
_MOST_POINTS = 600


@require_safe
@login_required
def run_compare(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Compare two to six runs of a project: `?run=…&run=…`.

    While one of them is on, the page asks for its tables again; it is answered with them alone.

    Raises:
        Http404: there is no such run in the project.
    """
    project = get_project(request, project_id)
    try:
        found = Comparison(_runs(project, request.GET.getlist("run")))
    except UserError as error:
        return _refused(request, project, error)
    context: dict[str, Any] = {
        "found": found,
        "runs": [_head(request, run, number) for number, run in enumerate(found.runs, start=1)],
        "tables": tables_of(found),
        "curves": [curve.thinned(_COLUMNS, _MOST_POINTS) for curve in found.curves],
        "can_drop": len(found.runs) > FEWEST,
    }
    if getattr(request, "htmx", False):
        return render(request, "training/_comparison.html", {"project": project, **context})
    return render_page(
        request,
        "training/run_compare.html",
        project=project,
        step="training",
        charts=[{"name": name, "label": label, "note": note} for name, label, note in _CHARTS],
        **context,
    )


def _runs(project: Project, texts: list[str]) -> list[TrainingRun]:
    """Return the runs that the address names.

    Raises:
        UserError: `compare_how_many`.
        Http404: one of them is none of this project.
    """
    ids = list(dict.fromkeys(as_uuid(text) for text in texts))
    if not FEWEST <= len(ids) <= MOST:
        raise UserError("compare_how_many")
    known = [pk for pk in ids if pk is not None]
    runs = comparable(TrainingRun.objects.filter(project=project), known)
    if len(runs) < len(ids):
        raise Http404
    return runs


def _head(request: HttpRequest, run: TrainingRun, number: int) -> dict[str, Any]:
    """Return a run with its number and the address of the page without it."""
    rest = QueryDict(mutable=True)
    rest.setlist("run", [pk for pk in request.GET.getlist("run") if as_uuid(pk) != run.pk])
    return {"run": run, "number": number, "without": f"?{rest.urlencode()}"}


def _refused(request: HttpRequest, project: Project, error: UserError) -> HttpResponse:
    return render_page(
        request,
        "training/run_compare_refused.html",
        project=project,
        step="training",
        status=error.status,
        error=error,
    )
