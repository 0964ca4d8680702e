"""The pages of a project itself: create, change, delete, members."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from jobs.errors import UserError
from projects import services
from projects.access import OWNERS, VIEWERS
from projects.forms import DeleteProjectForm, MemberForm, ProjectForm, RoleForm
from projects.models import Project, Role
from projects.pages import current_user, get_project, render_page


@require_http_methods(["GET", "POST"])
@login_required
def project_create(request: HttpRequest) -> HttpResponse:
    """Make a project; its creator owns it."""
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        project = services.create_project(user=current_user(request), **form.cleaned_data)
        return redirect("project_overview", project.pk)
    return render(request, "projects/project_create.html", {"form": form})


@require_http_methods(["GET", "POST"])
@login_required
def project_edit(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Change name and description."""
    project = get_project(request, project_id, roles=OWNERS)
    initial = {"name": project.name, "description": project.description}
    form = ProjectForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        services.update_project(project=project, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("project_overview", project.pk)
    return render_page(request, "projects/project_edit.html", project=project, form=form)


@require_http_methods(["GET", "POST"])
@login_required
def project_delete(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Remove a project with all that is in it, after its name was typed."""
    project = get_project(request, project_id, roles=OWNERS)
    form = DeleteProjectForm(request.POST or None, project=project)
    if request.method == "POST" and form.is_valid():
        services.delete_project(project=project)
        messages.success(
            request, _("The project %(name)s was deleted.") % {"name": form.cleaned_data["name"]}
        )
        return redirect("home")
    return render_page(request, "projects/project_delete.html", project=project, form=form)


@require_http_methods(["GET", "POST"])
@login_required
def member_list(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Show who may do what, and let an owner add a person."""
    roles = OWNERS if request.method == "POST" else VIEWERS
    project = get_project(request, project_id, roles=roles)
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _add(project, form):
        return redirect("projects:member_list", project.pk)
    return render_page(
        request,
        "projects/member_list.html",
        project=project,
        members=project.memberships.select_related("user"),
        form=form,
        roles=Role.choices,
    )


@require_POST
@login_required
def member_edit(request: HttpRequest, project_id: UUID, user_id: UUID) -> HttpResponse:
    """Give a member another role."""
    project = get_project(request, project_id, roles=OWNERS)
    member = get_object_or_404(project.memberships.select_related("user"), user_id=user_id)
    form = RoleForm(request.POST)
    if form.is_valid():
        try:
            services.change_role(project=project, user=member.user, role=form.cleaned_data["role"])
            messages.success(request, _("Saved."))
        except UserError as error:
            messages.error(request, f"{error.message} {error.hint}")
    return redirect("projects:member_list", project.pk)


@require_POST
@login_required
def member_remove(request: HttpRequest, project_id: UUID, user_id: UUID) -> HttpResponse:
    """Put a member out."""
    project = get_project(request, project_id, roles=OWNERS)
    member = get_object_or_404(project.memberships.select_related("user"), user_id=user_id)
    try:
        services.remove_member(project=project, user=member.user)
    except UserError as error:
        messages.error(request, f"{error.message} {error.hint}")
    else:
        messages.success(
            request, _("%(name)s is not a member any more.") % {"name": member.user.username}
        )
    is_gone = not Project.objects.visible_to(request.user).filter(pk=project.pk).exists()
    return redirect("home") if is_gone else redirect("projects:member_list", project.pk)


def _add(project: Project, form: MemberForm) -> bool:
    """Add the person of a valid form; what speaks against it goes into the form."""
    data = form.cleaned_data
    try:
        services.add_member(project=project, user=data["username"], role=data["role"])
    except UserError as error:
        form.add_error("username", f"{error.message} {error.hint}")
        return False
    return True
