"""The pages of step 2: training runs and models."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from projects.pages import get_project, render_page
from training.models import TrainingRun


@require_safe
@login_required
def run_list(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show the runs of a project."""
    project = get_project(request, project_id)
    runs = TrainingRun.objects.filter(project=project).select_related("dataset_version__dataset")
    return render_page(
        request, "training/run_list.html", project=project, step="training", runs=runs
    )


@require_safe
@login_required
def run_detail(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show how a run is doing."""
    rows: Any = TrainingRun.objects.visible_to(request.user).select_related("project")
    run = get_object_or_404(rows, pk=run_id)
    return render_page(
        request, "training/run_detail.html", project=run.project, step="training", job=run
    )
