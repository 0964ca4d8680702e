"""The only access rules. Every list, detail page, endpoint and socket starts from here.

A user who comes with a token that is confined to one project carries `confined_to_project_id` (set
by `accounts.authentication`). What a user may not see does not exist for it (404); what it may see
but not do is refused (403).
"""

from typing import Any, ClassVar, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q

VIEWERS = frozenset({"owner", "editor", "viewer"})
EDITORS = frozenset({"owner", "editor"})
OWNERS = frozenset({"owner"})


class ScopedQuerySet(models.QuerySet[Any]):
    """Rows that belong to a project; `project_path` is the lookup that leads to it."""

    project_path: ClassVar[str] = "project"

    def visible_to(self, user: Any) -> Self:
        """Rows that the user may see."""
        return self._of_members(user, VIEWERS)

    def editable_by(self, user: Any) -> Self:
        """Rows that the user may change."""
        return self._of_members(user, EDITORS)

    def owned_by(self, user: Any) -> Self:
        """Rows in projects that the user owns."""
        return self._of_members(user, OWNERS)

    def _of_members(self, user: Any, roles: frozenset[str]) -> Self:
        if not getattr(user, "is_authenticated", False):
            return self.none()
        rows = self if user.is_superuser else self._with_role(user, roles)
        confined_to = getattr(user, "confined_to_project_id", None)
        if confined_to is None:
            return rows
        return rows.filter(**{self._key(): confined_to})

    def _key(self) -> str:
        return f"{self.project_path}_id" if self.project_path else "pk"

    def _with_role(self, user: Any, roles: frozenset[str]) -> Self:
        from projects.models import Membership

        membership = Membership.objects.filter(
            project=OuterRef(self._key()), user_id=user.pk, role__in=roles
        )
        return self.filter(Exists(membership))


class ProjectQuerySet(ScopedQuerySet):
    """Projects themselves."""

    project_path = ""


def role_in(user: Any, project: Any) -> str | None:
    """Return the user's role in a project, or None; a superuser acts as owner."""
    if isinstance(user, AnonymousUser) or not user.is_authenticated:
        return None
    confined_to = getattr(user, "confined_to_project_id", None)
    if confined_to is not None and confined_to != project.pk:
        return None
    if user.is_superuser:
        return "owner"
    membership = project.memberships.filter(Q(user_id=user.pk)).first()
    return membership.role if membership else None


def can_edit(user: Any, project: Any) -> bool:
    """Whether the user may import, train, detect and publish in a project."""
    return role_in(user, project) in EDITORS


def can_own(user: Any, project: Any) -> bool:
    """Whether the user may manage a project and its members."""
    return role_in(user, project) in OWNERS
