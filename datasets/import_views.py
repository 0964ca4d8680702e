"""The pages of an import: choose a ZIP, watch it go, see what came in."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from datasets import services
from datasets.forms import ZipImportForm
from datasets.models import Dataset, Import
from datasets.preview import preview_of
from datasets.quota import quota_of
from datasets.review_form import class_lines
from datasets.uploads import stored_upload, taken_upload
from jobs import queue
from jobs.errors import UserError
from jobs.states import Status
from projects.access import EDITORS
from projects.models import Project
from projects.pages import current_user, get_project, render_page, require_role


@require_http_methods(["GET", "POST"])
@login_required
def import_create(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Take a ZIP; the page's script sends it with progress and reads 201 and 422."""
    project = get_project(request, project_id, roles=EDITORS)
    user = current_user(request)
    form = ZipImportForm(request.POST or None, request.FILES or None, project=project, user=user)
    if request.method == "POST" and form.is_valid():
        job = _start_import(project, user, form)
        if job is not None:
            url = reverse("datasets:import_detail", args=[job.pk])
            return JsonResponse({"url": url}, status=201) if _is_script(request) else redirect(url)
    return render_page(
        request,
        "datasets/import_create.html",
        project=project,
        step="data",
        status=422 if form.is_bound else 200,
        form=form,
        has_datasets=Dataset.objects.filter(project=project).exists(),
        max_bytes=settings.MAX_UPLOAD_BYTES,
        quota=quota_of(project, user),
    )


@require_safe
@login_required
def import_detail(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Show how an import is doing, and afterwards what came in and what was left out."""
    job = _import(request, import_id)
    report: dict[str, Any] = {}
    if job.status == Status.SUCCEEDED:
        report = {**preview_of(job.version), "lines": class_lines(job.version)}
    return render_page(
        request, "datasets/import_detail.html", project=job.project, step="data", job=job, **report
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


@require_POST
@login_required
def import_retry(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Queue an import again that failed through our fault."""
    job = _import(request, import_id)
    require_role(request, job.project, EDITORS)
    try:
        services.retry_import(job=job)
    except UserError as error:
        messages.warning(request, f"{error.message} {error.hint}")
    return redirect("datasets:import_detail", job.pk)


def _start_import(project: Project, user: User, form: ZipImportForm) -> Import | None:
    """Start the import of a valid form; what speaks against it goes into the form."""
    data = form.cleaned_data
    arrived = data.get("upload")
    try:
        with taken_upload(arrived) if arrived else stored_upload(data["file"]) as upload:
            return services.create_import(
                project=project,
                user=user,
                upload=upload,
                dataset=data["dataset"],
                dataset_name=data["dataset_name"],
                split_ratio=data["split_percent"] / 100,
                split_seed=data["split_seed"],
                test_ratio=data["test_percent"] / 100,
                keep_splits=data["keep_splits"],
                review=data["review"],
                adds=data["adds"],
            )
    except UserError as error:
        form.add_error("file", f"{error.message} {error.hint}")
        return None


def _is_script(request: HttpRequest) -> bool:
    return request.headers.get("X-Requested-With") == "XMLHttpRequest"


def _import(request: HttpRequest, import_id: UUID) -> Any:
    rows = Import.objects.visible_to(request.user).select_related("project", "version__dataset")
    return get_object_or_404(rows, pk=import_id)
