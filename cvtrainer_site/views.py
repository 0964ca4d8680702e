"""The pages that look across apps: home, the project's overview, what runs now."""

from datetime import datetime, timedelta
from hashlib import blake2s
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from cvtrainer_site import activity as activities
from cvtrainer_site.overview import model_in_use, newest
from cvtrainer_site.phases import STOP_POLLING
from cvtrainer_site.sample_project import create_sample_project
from cvtrainer_site.steps import next_action, steps_by_id, steps_of, with_steps
from jobs.errors import UserError
from projects.models import Project
from projects.pages import current_user, get_project, render_page

_PROJECTS_A_PAGE = 20
#: Whoever comes back after as long has not been here; whoever looks again sooner has.
_VISIT_ENDS = timedelta(minutes=30)
_ENDED_SINCE, _ENDED_LATELY = 20, 6


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Show the user's projects with their steps, what runs now and what ended lately."""
    projects = with_steps(Project.objects.visible_to(request.user).order_by("-created_at"))
    page = Paginator(projects, _PROJECTS_A_PAGE).get_page(request.GET.get("page"))
    since = _last_visit(request)
    ended = activities.ended(request.user, limit=_ENDED_SINCE)
    news = [item for item in ended if item.is_newer_than(since)]
    context = {
        "page_obj": page,
        "projects": [(project, steps_of(project)) for project in page],
        "running": activities.running(request.user),
        "news": news,
        "ended": ended[len(news) :][:_ENDED_LATELY],
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
    """Draw what runs now again, everywhere or in `?project=`; pages ask while something runs."""
    if not request.user.is_authenticated:
        return HttpResponse(status=STOP_POLLING)
    project = _project_asked_for(request)
    running = activities.running(request.user, project=project)
    context = {"running": running, "running_project": project}
    return render(request, "_running.html", context)


@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """Draw the bell: how many jobs run, and a notice for each that ended since the last look.

    Thousands of pages ask; where all is still as `?seen=` says, that is the whole answer.
    """
    if not request.user.is_authenticated:
        return HttpResponse(status=STOP_POLLING)
    now = timezone.now()
    since = _moment(request.GET.get("since", ""))
    running, ended = activities.glance(request.user, since)
    seen = blake2s(repr(running).encode(), digest_size=8).hexdigest()
    if not ended and request.GET.get("seen") == seen:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    context = {
        "running": activities.items(running),
        "ended": activities.items(ended),
        "now": now.isoformat(),
        "seen": seen,
    }
    return render(request, "_activity.html", context)


@require_safe
@login_required
def project_overview(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show the three steps of a project and what each has brought so far."""
    project = get_project(request, project_id)
    return render_page(
        request,
        "project_overview.html",
        project=project,
        next=next_action(steps_by_id(project)),
        **newest(project),
        **model_in_use(project),
        running=activities.running(request.user, project=project),
        ended=activities.ended(request.user, project=project),
    )


def _project_asked_for(request: HttpRequest) -> Project | None:
    """Return the project that `?project=` names, or None where it names none.

    Raises:
        Http404: there is none that the user may see.
    """
    wanted = request.GET.get("project")
    if wanted is None:
        return None
    try:
        return get_project(request, UUID(wanted))
    except ValueError:
        raise Http404 from None


def _last_visit(request: HttpRequest) -> datetime | None:
    """Return when the visit before this one ended, and note that the person is here now."""
    now = timezone.now()
    noted = request.session.get("home", {})
    seen, since = _moment(noted.get("seen", "")), _moment(noted.get("since", ""))
    if seen and now - seen > _VISIT_ENDS:
        since = seen
    request.session["home"] = {
        "seen": now.isoformat(),
        "since": since.isoformat() if since else "",
    }
    return since


def _moment(text: str) -> datetime | None:
    try:
        value = parse_datetime(text)
    except ValueError:
        return None
    return value if value and timezone.is_aware(value) else None
