"""Parts of a run's page about what it brought, and the button that does it all again."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from jobs.errors import UserError
from projects.access import EDITORS
from projects.pages import current_user, require_role
from training import services
from training.class_tables import class_lines, confusion_rows, figure_lines, mixed_up
from training.forms import as_uuid
from training.models import TrainingRun
from training.option import InvalidOptionsError
from training.predictions import KIND
from training.stored_results import read_confusion


def shown_results(run: TrainingRun) -> dict[str, Any]:
    """Return what the page of a run says about its results, out of its rows alone."""
    model: Any = getattr(run, "model", None)
    metrics = model.metrics if model is not None else {}
    # Models of older releases were measured, but nothing was counted.
    is_counted = "counts" in metrics
    per_class = metrics.get("per_class") or []
    return {
        "lines": class_lines(metrics, model.classes) if is_counted else [],
        "class_figures": [] if is_counted else figure_lines(per_class),
        "repeat_key": uuid4(),
    }


@require_safe
@login_required
def run_results(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Draw what lies in files: a storage that is slow or away does not keep the page waiting."""
    run = _run(request, run_id)
    found = read_confusion(run)
    context = {
        "job": run,
        "has_predictions": run.artifacts.filter(kind=KIND).exists(),
        "confusion": confusion_rows(found),
        "mixed_up": mixed_up(found),
    }
    return render(request, "training/_results_files.html", context)


@require_POST
@login_required
def run_repeat(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Start the very same training again; sent twice, it is one."""
    run = _run(request, run_id)
    require_role(request, run.project, EDITORS)
    key = as_uuid(request.POST.get("key", "")) or uuid4()
    mine = TrainingRun.objects.filter(pk=key, project=run.project)
    try:
        if not mine.exists():
            services.repeat_run(run=run, user=current_user(request), key=key)
    except UserError as error:
        messages.warning(request, f"{error.message} {error.hint}")
        return redirect("training:run_detail", run.pk)
    except InvalidOptionsError as error:
        messages.warning(request, str(error))
        return redirect("training:run_detail", run.pk)
    except IntegrityError:  # the same button, a moment earlier
        if not mine.exists():
            raise
    return redirect("training:run_detail", key)


def _run(request: HttpRequest, run_id: UUID) -> Any:
    rows = TrainingRun.objects.visible_to(request.user)
    related = ("project", "dataset_version", "start_model")
    return get_object_or_404(rows.select_related(*related), pk=run_id)
