"""The pages that import from Custom Vision: look at the project first, then bring it in."""

import math
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from datasets import services
from datasets.custom_vision_forms import ConnectionForm, CustomVisionImportForm
from datasets.custom_vision_preview import preview
from datasets.models import Dataset, Import
from jobs.errors import UserError
from projects.access import EDITORS
from projects.models import Project
from projects.pages import current_user, get_project, render_page


@require_http_methods(["GET", "POST"])
@login_required
def custom_vision_create(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Ask where the project is, and start its import."""
    project = get_project(request, project_id, roles=EDITORS)
    form = CustomVisionImportForm(request.POST or None, project=project)
    if request.method == "POST" and form.is_valid():
        job = _start(project, current_user(request), form)
        if job is not None:
            return redirect("datasets:import_detail", job.pk)
    return render_page(
        request,
        "datasets/custom_vision_create.html",
        project=project,
        step="data",
        status=422 if form.is_bound else 200,
        form=form,
        has_datasets=Dataset.objects.filter(project=project).exists(),
    )


@require_POST
@login_required
def custom_vision_preview(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Look at a project with what the form holds; nothing of it is kept."""
    get_project(request, project_id, roles=EDITORS)
    form = ConnectionForm(request.POST)
    context: dict[str, Any] = {}
    if not form.is_valid():
        message = " ".join(str(text) for errors in form.errors.values() for text in errors)
        context["error"] = {"message": message, "hint": ""}
    else:
        try:
            found = preview(form.cleaned_data["address"], form.cleaned_data["training_key"])
            minutes = math.ceil((found["estimated_seconds"] or 0) / 60)
            context |= {"preview": found, "minutes": minutes}
        except UserError as error:
            context["error"] = {"message": error.message, "hint": error.hint}
    return render(request, "datasets/_custom_vision_preview.html", context)


def _start(project: Project, user: User, form: CustomVisionImportForm) -> Import | None:
    """Start the import of a valid form; what speaks against it goes into the form."""
    data = form.cleaned_data
    try:
        return services.create_custom_vision_import(
            project=project,
            user=user,
            address=data["address"],
            training_key=data["training_key"],
            dataset=data["dataset"],
            dataset_name=data["dataset_name"],
            split_ratio=data["split_percent"] / 100,
            test_ratio=data["test_percent"] / 100,
            split_seed=data["split_seed"],
            include_untagged=data["include_untagged"],
            review=data["review"],
            adds=data["adds"],
        )
    except UserError as error:
        form.add_error("dataset_name", f"{error.message} {error.hint}")
        return None
