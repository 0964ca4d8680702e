"""What every page inside a project needs: who may see it, and what the frame around it shows."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.models import User
from projects.access import EDITORS, OWNERS, VIEWERS, role_in
from projects.models import Project


def current_user(request: HttpRequest) -> User:
    """Return the signed-in user of a page that asks for sign-in."""
    assert isinstance(request.user, User)
    return request.user


def get_project(
    request: HttpRequest, project_id: UUID, *, roles: frozenset[str] = VIEWERS
) -> Project:
    """Return a project that the user may see.

    Raises:
        Http404: it may not be seen.
        PermissionDenied: the user's role is none of `roles`.
    """
    project: Project = get_object_or_404(Project.objects.visible_to(request.user), pk=project_id)
    require_role(request, project, roles)
    return project


def require_role(request: HttpRequest, project: Project, roles: frozenset[str]) -> None:
    """Refuse a user whose role in the project is none of `roles`.

    Raises:
        PermissionDenied: it is not.
    """
    if role_in(request.user, project) not in roles:
        raise PermissionDenied


def render_page(
    request: HttpRequest,
    template: str,
    *,
    project: Project,
    step: str = "",
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Draw a page that extends `base_project.html`.

    Args:
        step: which of the three steps it belongs to: data, training, detection, or none.
        context: what the page itself shows.
    """
    role = role_in(request.user, project)
    frame = {
        "project": project,
        "step": step,
        "role": role,
        "can_edit": role in EDITORS,
        "can_own": role in OWNERS,
    }
    return render(request, template, {**frame, **context}, status=status)
