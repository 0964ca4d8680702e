"""The pages of step 2: training runs and the models that they made."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from datasets.models import DatasetVersion
from jobs.errors import UserError
from jobs.states import TERMINAL, Status
from projects.access import EDITORS
from projects.models import Project
from projects.pages import current_user, get_project, render_page, require_role
from training import epochs, services
from training.ending import told_early_end
from training.models import Checkpoint, TrainedModel, TrainingRun
from training.option import InvalidOptionsError
from training.options import OPTIONS, final_learning_rate
from training.priorities import choices
from training.provenance import start_label
from training.remedies import remedies_for, remedy
from training.result_views import shown_results

_RUNS_A_PAGE = 20


@require_safe
@login_required
def run_list(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show the runs of a project: those that are on first, with their progress."""
    project = get_project(request, project_id)
    ended = Paginator(_runs(project).filter(status__in=TERMINAL), _RUNS_A_PAGE)
    return render_page(
        request,
        "training/run_list.html",
        project=project,
        step="training",
        active=_runs(project).active(),
        page_obj=ended.get_page(request.GET.get("page")),
        has_versions=DatasetVersion.objects.filter(dataset__project=project).ready().exists(),
        chosen=request.GET.getlist("run"),
    )


@require_safe
@login_required
def run_list_active(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Draw the runs that are on again; the page asks while there are any."""
    project = get_project(request, project_id)
    context = {"project": project, "active": _runs(project).active()}
    return render(request, "training/_active.html", context)


@require_safe
@login_required
def run_detail(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show how a run is doing, and afterwards what it brought."""
    run = _run(request, run_id)
    rows = list(run.epochs.all())
    remedies = remedies_for(run)
    return render_page(
        request,
        "training/run_detail.html",
        project=run.project,
        step="training",
        job=run,
        model=getattr(run, "model", None),
        base_model=start_label(run),
        early_end=told_early_end(run),
        metrics=[epochs.row(row) for row in rows],
        attempts=_attempts(run, rows),
        remedies=remedies,
        priorities=choices(current_user(request), now=run.priority),
        offers_letters=bool(settings.EMAIL_FROM) and not current_user(request).email_when_done,
        offers_form=any(found.code == "other_base_model" for found in remedies),
        settings=_settings(run),
        final_rate=final_learning_rate(run.options) if "optimizer" in run.options else None,
        **_files(run),
        **shown_results(run),
    )


@require_safe
@login_required
def run_queue(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Draw where a run stands in the queue; its page asks while it waits."""
    return render(request, "training/_queue.html", {"job": _run(request, run_id)})


@require_POST
@login_required
def run_stop(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """End after this epoch and keep the best model."""
    return _act(request, run_id, lambda run: services.stop_run(run=run))


@require_POST
@login_required
def run_cancel(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """End at once."""
    return _act(request, run_id, lambda run: services.cancel_run(run=run))


@require_POST
@login_required
def run_pause(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Lay it aside; its GPU is free within seconds."""
    return _act(request, run_id, lambda run: services.pause_run(run=run))


@require_POST
@login_required
def run_priority(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Give it another place in the queue, one of those that are offered."""
    user = current_user(request)

    def act(run: TrainingRun) -> None:
        offered = {str(value): value for value, _label in choices(user, now=run.priority)}
        wanted = offered.get(request.POST.get("priority", ""), run.priority)
        if wanted != run.priority:
            services.set_priority(run=run, user=user, priority=wanted)

    return _act(request, run_id, act)


@require_POST
@login_required
def run_remedy(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Do what one of the buttons beside an error says: go on otherwise, or start anew."""
    run = _run(request, run_id)
    require_role(request, run.project, EDITORS)
    try:
        run = remedy(run, request.POST.get("code", "")).apply(current_user(request))
    except UserError as error:
        messages.warning(request, f"{error.message} {error.hint}")
    except InvalidOptionsError as error:  # of an earlier release, which took what this one refuses
        messages.warning(request, str(error))
    return redirect("training:run_detail", run.pk)


@require_POST
@login_required
def run_resume(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Go on from the last checkpoint."""
    return _act(request, run_id, lambda run: services.resume_run(run=run))


@require_safe
@login_required
def model_list(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show the models of a project, the one in use first."""
    project = get_project(request, project_id)
    models = TrainedModel.objects.filter(project=project).select_related(
        "training_run", "dataset_version__dataset"
    )
    in_use = TrainedModel.Stage.PRODUCTION
    return render_page(
        request,
        "training/model_list.html",
        project=project,
        step="training",
        models=sorted(models, key=lambda model: model.stage != in_use),
    )


def _act(request: HttpRequest, run_id: UUID, act: Callable[[TrainingRun], None]) -> HttpResponse:
    """Do what a button of the run's page says; one that came too late is told so."""
    run = _run(request, run_id)
    require_role(request, run.project, EDITORS)
    try:
        act(run)
    except UserError as error:
        messages.warning(request, f"{error.message} {error.hint}")
    return redirect("training:run_detail", run.pk)


def _runs(project: Project) -> Any:
    rows = TrainingRun.objects.filter(project=project).with_queue_position()
    return rows.select_related("dataset_version__dataset", "model")


def _run(request: HttpRequest, run_id: UUID) -> Any:
    rows = TrainingRun.objects.visible_to(request.user).with_queue_position()
    related = ("project", "dataset_version__dataset", "start_model", "model", "created_by")
    return get_object_or_404(rows.select_related(*related), pk=run_id)


def _attempts(run: TrainingRun, rows: list[Any]) -> list[dict[str, int]]:
    """Return the attempts after the first, each with the epoch after which it went on."""
    first: dict[int, int] = {}
    for row in rows:
        first[row.attempt] = min(first.get(row.attempt, row.epoch), row.epoch)
    if run.status in {Status.RUNNING, Status.STOPPING}:
        first.setdefault(run.attempt, run.epoch + 1)
    return [{"number": n, "after": epoch - 1} for n, epoch in sorted(first.items()) if epoch > 1]


def _settings(run: TrainingRun) -> list[dict[str, Any]]:
    """Return the parameters of a run; `is_changed` marks those that are not the default."""
    return [
        {
            "option": option,
            "value": dict(option.choices).get(str(value), value),
            "is_changed": value != option.default,
        }
        for name, option in OPTIONS.items()
        if (value := run.options.get(name)) is not None
    ]


def _files(run: TrainingRun) -> dict[str, Any]:
    """Return the plots and the other files that a run left."""
    artifacts = list(run.artifacts.all())
    kinds = Checkpoint.objects.filter(run=run).values_list("kind", flat=True).distinct()
    return {
        "plots": [artifact for artifact in artifacts if artifact.kind == "plot"],
        "files": [artifact for artifact in artifacts if artifact.kind != "plot"],
        "weights": sorted(f"{kind}.pt" for kind in set(kinds)),
    }
