"""The pages of step 1: datasets, imports, versions, pictures."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from datasets import services
from datasets.class_table import class_table
from datasets.forms import ZipImportForm
from datasets.gallery import Filters, boxes_of, counts_of, place_of, shape_of
from datasets.models import Dataset, DatasetImage, DatasetVersion, Import
from jobs import queue
from jobs.errors import UserError
from jobs.states import Status
from projects.access import EDITORS
from projects.models import Project
from projects.pages import current_user, get_project, render_page, require_role

_IMAGES_A_PAGE = 48
_TILES = 12


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
    report = _preview(job.version) if job.status == Status.SUCCEEDED else {}
    return render_page(
        request, "datasets/import_detail.html", project=job.project, step="data", job=job, **report
    )


@require_http_methods(["GET", "POST"])
@login_required
def import_create(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Take a ZIP; the page's script sends it with progress and reads 201 and 422."""
    project = get_project(request, project_id, roles=EDITORS)
    form = ZipImportForm(request.POST or None, request.FILES or None, project=project)
    if request.method == "POST" and form.is_valid():
        job = _start_import(project, current_user(request), form)
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


@require_safe
@login_required
def version_detail(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Show whether a version can be trained on: classes, warnings, pictures, downloads."""
    version = _version(request, version_id)
    return render_page(
        request,
        "datasets/version_detail.html",
        project=version.dataset.project,
        step="data",
        version=version,
        **_preview(version),
        versions=version.dataset.versions.order_by("-number"),
    )


@require_safe
@login_required
def image_list(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Show the pictures of a version with their boxes, filtered by the address."""
    version = _version(request, version_id)
    filters = Filters(version, request.GET)
    page = Paginator(filters.images(), _IMAGES_A_PAGE).get_page(request.GET.get("page"))
    tiles = [filters.tile(image) for image in page]
    return render_page(
        request,
        "datasets/image_list.html",
        project=version.dataset.project,
        step="data",
        version=version,
        filters=filters,
        splits=DatasetImage.Split.choices,
        page_obj=page,
        tiles=tiles,
        shape=shape_of(tiles),
    )


@require_safe
@login_required
def image_detail(request: HttpRequest, image_id: UUID) -> HttpResponse:
    """Show one picture with its boxes; next and previous stay within the filters."""
    rows = DatasetImage.objects.visible_to(request.user)
    image = get_object_or_404(
        rows.select_related("picture", "version__dataset__project"), pk=image_id
    )
    filters = Filters(image.version, request.GET)
    tile = filters.tile(image)
    return render_page(
        request,
        "datasets/image_detail.html",
        project=image.version.dataset.project,
        step="data",
        version=image.version,
        tile=tile,
        counts=counts_of(tile),
        boxes=boxes_of(tile),
        **place_of(image, filters),
    )


def _start_import(project: Project, user: User, form: ZipImportForm) -> Import | None:
    """Start the import of a valid form; what speaks against it goes into the form."""
    data = form.cleaned_data
    try:
        return services.create_import(
            project=project,
            user=user,
            dataset=data["dataset"],
            dataset_name=data["dataset_name"],
            file=data["file"],
            split_ratio=data["split_percent"] / 100,
            split_seed=data["split_seed"],
            keep_splits=data["keep_splits"],
        )
    except UserError as error:
        form.add_error("file", f"{error.message} {error.hint}")
        return None


def _is_script(request: HttpRequest) -> bool:
    return request.headers.get("X-Requested-With") == "XMLHttpRequest"


def _preview(version: DatasetVersion) -> dict[str, Any]:
    """Return the class table and the first pictures of a version."""
    filters = Filters(version, QueryDict())
    tiles = [filters.tile(image) for image in filters.images()[:_TILES]]
    return {"classes": class_table(version), "tiles": tiles, "shape": shape_of(tiles)}


def _version(request: HttpRequest, version_id: UUID) -> Any:
    rows = DatasetVersion.objects.visible_to(request.user)
    return get_object_or_404(rows.select_related("dataset__project", "import_job"), pk=version_id)


def _imports(project: Any) -> Any:
    return Import.objects.filter(project=project).select_related("version__dataset")


def _import(request: HttpRequest, import_id: UUID) -> Any:
    rows = Import.objects.visible_to(request.user).select_related("project", "version__dataset")
    return get_object_or_404(rows, pk=import_id)
