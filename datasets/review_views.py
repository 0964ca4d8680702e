"""The page on which people check what came in before it is used, or change the classes later."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from datasets import reviewing
from datasets.editing import Edit
from datasets.models import DatasetVersion
from datasets.preview import preview_of
from datasets.repairs import offers
from datasets.review_form import class_lines, edit_of
from jobs.errors import UserError
from projects.access import EDITORS
from projects.pages import render_page, require_role


@require_http_methods(["GET", "POST"])
@login_required
def version_review(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Show what was understood; take changes, and confirm the version or make the next one."""
    version = _version(request, version_id)
    edit, error = None, None
    if request.method == "POST":
        try:
            edit = edit_of(request.POST)
            made = reviewing.edit_version(version=version, edit=edit)
        except UserError as raised:
            error = raised
        else:
            _tell(request, version, made)
            return redirect("datasets:version_detail", made.pk)
    return render_page(
        request,
        "datasets/version_review.html",
        project=version.dataset.project,
        step="data",
        status=422 if error else 200,
        version=version,
        waits=version.status == DatasetVersion.Status.REVIEW,
        error=error and {"message": error.message, "hint": error.hint},
        **_context(version, edit),
    )


@require_POST
@login_required
def version_discard(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Throw away a version that waits to be confirmed."""
    version = _version(request, version_id)
    project = version.dataset.project
    try:
        reviewing.discard_version(version=version)
    except UserError as error:
        messages.error(request, f"{error.message} {error.hint}")
        return redirect("datasets:version_detail", version.pk)
    messages.success(request, _("What came in was thrown away."))
    return redirect("datasets:dataset_list", project.pk)


def _context(version: DatasetVersion, edit: Edit | None) -> dict[str, Any]:
    chosen = {repair.code: repair.action for repair in edit.repairs} if edit else {}
    found = [(offer, chosen.get(offer.code, "")) for offer in offers(version)]
    return {"lines": class_lines(version, edit), "offers": found, **preview_of(version)}


def _tell(request: HttpRequest, version: DatasetVersion, made: DatasetVersion) -> None:
    if version.number == made.number:
        text = _("Version %(number)d is ready.")
    else:
        text = _("Saved as version %(number)d; version %(old)d stays as it is.")
    messages.success(request, text % {"number": made.number, "old": version.number})


def _version(request: HttpRequest, version_id: UUID) -> Any:
    """Return a whole version that the user may change."""
    rows = DatasetVersion.objects.visible_to(request.user).whole()
    version = get_object_or_404(
        rows.select_related("dataset__project", "import_job"), pk=version_id
    )
    require_role(request, version.dataset.project, EDITORS)
    return version
