"""The pages of datasets and their versions."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets import services
from datasets.forms import DatasetForm, ResplitForm
from datasets.health_charts import charts
from datasets.health_findings import findings, is_ready
from datasets.health_serializers import health_of
from datasets.models import Dataset, DatasetVersion
from datasets.preview import preview_of
from jobs.errors import UserError
from projects.access import EDITORS, can_edit
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
    )


@require_http_methods(["GET", "POST"])
@login_required
def dataset_edit(request: HttpRequest, dataset_id: UUID) -> HttpResponse:
    """Rename a dataset, or go on to delete it."""
    dataset = _dataset(request, dataset_id)
    form = DatasetForm(request.POST or None, initial={"name": dataset.name})
    if request.method == "POST" and form.is_valid():
        try:
            services.rename_dataset(dataset=dataset, name=form.cleaned_data["name"])
        except UserError as error:
            form.add_error("name", f"{error.message} {error.hint}")
        else:
            return redirect("datasets:dataset_list", dataset.project_id)
    return render_page(
        request,
        "datasets/dataset_edit.html",
        project=dataset.project,
        step="data",
        dataset=dataset,
        form=form,
    )


@require_POST
@login_required
def dataset_delete(request: HttpRequest, dataset_id: UUID) -> HttpResponse:
    """Remove a dataset with its versions, unless a training was made with it."""
    dataset = _dataset(request, dataset_id)
    try:
        services.delete_dataset(dataset=dataset)
    except UserError as error:
        messages.error(request, f"{error.message} {error.hint}")
        return redirect("datasets:dataset_edit", dataset.pk)
    messages.success(request, _("The dataset %(name)s was deleted.") % {"name": dataset.name})
    return redirect("datasets:dataset_list", dataset.project_id)


@require_safe
@login_required
def version_detail(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Show whether a version can be trained on: classes, warnings, pictures, downloads."""
    version = _version(request, version_id)
    if version.status == DatasetVersion.Status.REVIEW and can_edit(
        request.user, version.dataset.project
    ):
        return redirect("datasets:version_review", version.pk)
    if version.status != DatasetVersion.Status.READY and hasattr(version, "import_job"):
        return redirect("datasets:import_detail", version.import_job.pk)
    preview = preview_of(version)
    found = findings(version, preview["classes"])
    return render_page(
        request,
        "datasets/version_detail.html",
        project=version.dataset.project,
        step="data",
        version=version,
        findings=found,
        is_ready=is_ready(found),
        **preview,
        versions=version.dataset.versions.order_by("-number"),
        resplit_form=ResplitForm(),
    )


@require_safe
@login_required
def version_health(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Show whether a version is ready to train on, what would harm a model, and how it is made up.

    Raises:
        Http404: it is not ready, so that there is nothing to tell.
    """
    version = _version(request, version_id)
    if version.status != DatasetVersion.Status.READY:
        raise Http404
    report = health_of(version)
    return render_page(
        request,
        "datasets/version_health.html",
        project=version.dataset.project,
        step="data",
        version=version,
        report=report,
        charts=charts(version, report["classes"]),
    )


@require_POST
@login_required
def version_resplit(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Make the next version with the same pictures, split anew."""
    version = _version(request, version_id)
    require_role(request, version.dataset.project, EDITORS)
    form = ResplitForm(request.POST)
    if not form.is_valid():
        found = [text for errors in form.errors.values() for text in errors]
        messages.error(request, " ".join(map(str, found)))
        return redirect("datasets:version_detail", version.pk)
    try:
        made = services.resplit_version(
            version=version,
            split_ratio=form.cleaned_data["split_percent"] / 100,
            test_ratio=form.cleaned_data["test_percent"] / 100,
        )
    except UserError as error:
        messages.error(request, f"{error.message} {error.hint}")
        return redirect("datasets:version_detail", version.pk)
    messages.success(request, _("Split anew as version %(number)d.") % {"number": made.number})
    return redirect("datasets:version_detail", made.pk)


def _dataset(request: HttpRequest, dataset_id: UUID) -> Dataset:
    """Return a dataset that the user may change."""
    rows = Dataset.objects.visible_to(request.user).select_related("project")
    dataset: Dataset = get_object_or_404(rows, pk=dataset_id)
    require_role(request, dataset.project, EDITORS)
    return dataset


def _version(request: HttpRequest, version_id: UUID) -> Any:
    rows = DatasetVersion.objects.visible_to(request.user)
    related = ("dataset__project", "import_job", "parent")
    return get_object_or_404(rows.select_related(*related), pk=version_id)
