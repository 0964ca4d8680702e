"""The pages of step 1: datasets, imports, versions, pictures."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from datasets.models import Dataset, DatasetVersion, Import
from jobs import queue
from jobs.errors import UserError
from projects.access import EDITORS
from projects.pages import get_project, render_page, require_role


@require_safe
@login_required
def dataset_list(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show the datasets of a project with their versions, and the imports that are on."""
    project = get_project(request, project_id)
    versions = DatasetVersion.objects.order_by("-number").select_related("import_job")
    datasets = Dataset.objects.filter(project=project)
    return render_page(
        request,
        "datasets/dataset_list.html",
        project=project,
        step="data",
        datasets=datasets.prefetch_related(Prefetch("versions", versions)),
        imports=_imports(project).active(),
    )


@require_safe
@login_required
def import_detail(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Show how an import is doing, and afterwards what came in and what was left out."""
    job = _import(request, import_id)
    return render_page(
        request, "datasets/import_detail.html", project=job.project, step="data", job=job
    )


@require_POST
@login_required
def import_cancel(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Cancel an import."""
    job = _import(request, import_id)
    require_role(request, job.project, EDITORS)
    try:
        queue.cancel(job)
    except UserError as error:
        messages.warning(request, f"{error.message} {error.hint}")
    return redirect("datasets:import_detail", job.pk)


def _imports(project: Any) -> Any:
    return Import.objects.filter(project=project).select_related("version__dataset")


def _import(request: HttpRequest, import_id: UUID) -> Any:
    rows = Import.objects.visible_to(request.user).select_related("project", "version__dataset")
    return get_object_or_404(rows, pk=import_id)
