"""The pages of a project itself: create, change, delete, members."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from projects.access import OWNERS
from projects.forms import ProjectForm
from projects.pages import get_project, render_page


@require_http_methods(["GET", "POST"])
@login_required
def project_create(request: HttpRequest) -> HttpResponse:
    """Make a project; its creator owns it."""
    from projects import services

    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        project = services.create_project(user=request.user, **form.cleaned_data)
        return redirect("project_overview", project.pk)
    return render(request, "projects/project_create.html", {"form": form})


@require_http_methods(["GET", "POST"])
@login_required
def project_edit(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Change name and description."""
    from projects import services

    project = get_project(request, project_id, roles=OWNERS)
    form = ProjectForm(request.POST or None, instance=project)
    if request.method == "POST" and form.is_valid():
        services.update_project(project=project, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("project_overview", project.pk)
    return render_page(request, "projects/project_edit.html", project=project, form=form)


@require_safe
@login_required
def member_list(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show who may do what."""
    project = get_project(request, project_id)
    members = project.memberships.select_related("user")
    return render_page(request, "projects/member_list.html", project=project, members=members)
