"""The pages about several versions: what is different, and an earlier one made the newest again."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from datasets import services
from datasets.comparison import Comparison, Pictures, compare
from datasets.gallery import Filters, Tile
from datasets.models import DatasetImage, DatasetVersion
from jobs.errors import UserError
from projects.access import EDITORS
from projects.pages import render_page, require_role


@require_safe
@login_required
def version_compare(request: HttpRequest, version_id: UUID, other_id: UUID) -> HttpResponse:
    """Show what is different between a version and an earlier one of its dataset.

    Raises:
        Http404: one is not ready, or of another dataset.
    """
    now = _version(request, version_id)
    before = get_object_or_404(now.dataset.versions.ready(), pk=other_id)
    found = compare(before, now)
    return render_page(
        request,
        "datasets/version_compare.html",
        project=now.dataset.project,
        step="data",
        version=now,
        before=before,
        found=found,
        groups=_groups(found, before, now),
    )


@require_POST
@login_required
def version_restore(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Make a version the newest again."""
    version = _version(request, version_id)
    require_role(request, version.dataset.project, EDITORS)
    try:
        made = services.restore_version(version=version)
    except UserError as error:
        messages.error(request, f"{error.message} {error.hint}")
        return redirect("datasets:version_detail", version.pk)
    params = {"old": version.number, "new": made.number}
    messages.success(
        request, _("Version %(old)d is the newest again, as version %(new)d.") % params
    )
    return redirect("datasets:version_detail", made.pk)


def _groups(found: Comparison, before: DatasetVersion, now: DatasetVersion) -> list[dict[str, Any]]:
    """Return each kind of difference that there is, with its count and first pictures."""
    kinds = [
        (_("Added"), found.added, now),
        (_("Removed"), found.removed, before),
        (_("With other boxes"), found.relabelled, now),
        (_("On another side of the split"), found.moved, now),
    ]
    return [
        {"title": title, "count": pictures.count, "tiles": _tiles(pictures, version)}
        for title, pictures, version in kinds
        if pictures.count
    ]


def _tiles(pictures: Pictures, version: DatasetVersion) -> list[Tile]:
    filters = Filters(version, QueryDict())
    rows = DatasetImage.objects.filter(pk__in=pictures.examples).select_related("picture")
    return [filters.tile(image) for image in rows]


def _version(request: HttpRequest, version_id: UUID) -> Any:
    rows = DatasetVersion.objects.visible_to(request.user).ready()
    return get_object_or_404(rows.select_related("dataset__project"), pk=version_id)
