"""The pages of step 3: detect and count objects."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from projects.pages import get_project, render_page
from training.models import TrainedModel


@require_safe
@login_required
def detect(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Ask for pictures and show what is on them."""
    project = get_project(request, project_id)
    models = TrainedModel.objects.filter(project=project)
    return render_page(
        request, "detection/detect.html", project=project, step="detection", models=models
    )
