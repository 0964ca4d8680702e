"""The pages that look across apps: home, the project's overview, what runs now."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from cvtrainer_site import activity as activities
from cvtrainer_site.sample_project import create_sample_project
from cvtrainer_site.steps import next_action, steps_by_id, steps_of, with_steps
from datasets.models import DatasetVersion
from jobs.errors import UserError
from projects.models import Project
from projects.pages import current_user, get_project, render_page
from training.models import TrainedModel

_PROJECTS_A_PAGE = 20
_ROWS = 5
#: htmx takes it as the end of polling: the person has signed out in another tab.
_STOP_POLLING = 286


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Show the user's projects with their steps, what runs now and what ended lately."""
    projects = with_steps(Project.objects.visible_to(request.user).order_by("-created_at"))
    page = Paginator(projects, _PROJECTS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page_obj": page,
        "projects": [(project, steps_of(project)) for project in page],
        "running": activities.running(request.user),
        "ended": activities.ended(request.user),
    }
    return render(request, "home.html", context)


@require_POST
@login_required
def sample_create(request: HttpRequest) -> HttpResponse:
    """Make a project of drawn pictures and lead to its import."""
    try:
        job = create_sample_project(user=current_user(request))
    except UserError as error:
        messages.error(request, f"{error.message} {error.hint}")
        return redirect("home")
    return redirect("datasets:import_detail", job.pk)


@require_safe
def home_running(request: HttpRequest) -> HttpResponse:
    """Draw what runs now again; the home page asks while something runs."""
    if not request.user.is_authenticated:
        return HttpResponse(status=_STOP_POLLING)
    context = {"running": activities.running(request.user)}
    return render(request, "_running.html", context)


@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """Draw the bell: how many jobs run, and a notice for each that ended since the last look."""
    if not request.user.is_authenticated:
        return HttpResponse(status=_STOP_POLLING)
    now = timezone.now()
    since = _moment(request.GET.get("since", ""))
    context = {
        "running": activities.running(request.user),
        "ended": activities.ended(request.user, since=since) if since else [],
        "now": now.isoformat(),
    }
    return render(request, "_activity.html", context)


@require_safe
@login_required
def project_overview(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show the three steps of a project and what each has brought so far."""
    project = get_project(request, project_id)
    versions = DatasetVersion.objects.filter(dataset__project=project).select_related(
        "dataset", "import_job"
    )
    return render_page(
        request,
        "project_overview.html",
        project=project,
        next=next_action(steps_by_id(project)),
        versions=versions[:_ROWS],
        models=TrainedModel.objects.filter(project=project)[:_ROWS],
        running=activities.running(request.user, project=project),
        ended=activities.ended(request.user, project=project),
    )


def _moment(text: str) -> datetime | None:
    try:
        value = parse_datetime(text)
    except ValueError:
        return None
    return value if value and timezone.is_aware(value) else None
