"""The pages of step 3: detect and count objects, look at what was found, find it again."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

import detection.errors  # noqa: F401  registers the codes
from detection import counts, intake, services
from detection.models import Detection, DetectionImage
from projects.access import EDITORS
from projects.models import Project
from projects.pages import get_project, render_page, require_role
from training.class_tables import swatch
from training.models import TrainedModel

_DETECTIONS_A_PAGE = 20
_HIGHEST = 0.95


@require_safe
@login_required
def detect(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Ask for pictures; the page's script sends them and goes to what was found."""
    project = get_project(request, project_id)
    models = _models(project)
    wanted = request.GET.get("model", "")
    chosen = next((model for model in models if str(model.pk) == wanted), None)
    return render_page(
        request,
        "detection/detect.html",
        project=project,
        step="detection",
        models=[(model, threshold_of(model)) for model in models],
        chosen=chosen or (models[0] if models else None),
        most_pictures=intake.MOST_PICTURES,
    )


@require_safe
@login_required
def detection_list(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show what was tested, by day and model, with its counts."""
    project = get_project(request, project_id)
    rows = Detection.objects.filter(project=project).select_related("model", "created_by")
    models = _models(project)
    wanted = request.GET.get("model", "")
    if wanted in {str(model.pk) for model in models}:
        rows = rows.filter(model=wanted)
    # What was found on a picture may be a thousand boxes: a list needs none of them.
    images = DetectionImage.objects.defer("objects_found")
    rows = rows.prefetch_related(Prefetch("images", images)).order_by("-created_at")
    page = Paginator(rows, _DETECTIONS_A_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "detection/detection_list.html",
        project=project,
        step="detection",
        page_obj=page,
        lines=[_line(row) for row in page],
        models=models,
        wanted=wanted,
    )


@require_safe
@login_required
def detection_detail(request: HttpRequest, detection_id: UUID) -> HttpResponse:
    """Show what was found on the pictures of a detection."""
    row = _detection(request, detection_id)
    names = [
        {"index": index, "name": name, "css": swatch(index)}
        for index, name in enumerate(row.model.classes)
    ]
    return render_page(
        request,
        "detection/detection_detail.html",
        project=row.project,
        step="detection",
        job=row,
        names=names,
        images=row.images.count(),
    )


@require_POST
@login_required
def detection_delete(request: HttpRequest, detection_id: UUID) -> HttpResponse:
    """Remove a detection with its pictures."""
    row = _detection(request, detection_id)
    require_role(request, row.project, EDITORS)
    services.delete_detection(detection=row)
    messages.success(request, _("The detection and its pictures were removed."))
    return redirect("detection:detection_list", row.project_id)


def threshold_of(model: TrainedModel) -> float:
    """Return the confidence that suits a model: its best balance, or the usual one."""
    best = model.metrics.get("recommended_confidence")
    if not isinstance(best, int | float):
        return services.DEFAULT_CONF
    return min(max(float(best), counts.CONFIDENCE_FLOOR), _HIGHEST)


def _models(project: Project) -> list[Any]:
    """Return the models that can be tried: the one in use first, archived ones last."""
    stages = TrainedModel.Stage
    order = {stages.PRODUCTION: 0, stages.ARCHIVED: 2}
    rows = TrainedModel.objects.filter(project=project)
    return sorted(rows, key=lambda model: order.get(model.stage, 1))


def _detection(request: HttpRequest, detection_id: UUID) -> Any:
    rows = Detection.objects.visible_to(request.user)
    return get_object_or_404(rows.select_related("project", "model", "created_by"), pk=detection_id)


def _line(row: Any) -> dict[str, Any]:
    """Return a detection with its counts at the confidence that was asked for."""
    names = row.model.classes
    counted = sorted((int(index), n) for index, n in row.class_counts.items())
    return {
        "row": row,
        "day": timezone.localtime(row.created_at).date(),
        "images": list(row.images.all()),
        "objects": sum(n for _, n in counted),
        "counts": [(counts.name_of(names, index), n, swatch(index)) for index, n in counted],
    }
