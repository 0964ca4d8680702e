"""The only access rules. Every list, detail page, endpoint and socket starts from here.

A user who comes with a token that is confined to one project carries `confined_to_project_id` (set
by `accounts.authentication`). What a user may not see does not exist for it (404); what it may see
but not do is refused (403).
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Count, Exists, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

VIEWERS = frozenset({"owner", "editor", "viewer"})
EDITORS = frozenset({"owner", "editor"})
OWNERS = frozenset({"owner"})


class ScopedQuerySet(models.QuerySet[Any]):
    """Rows that belong to a project; `project_path` is the lookup that leads to it."""

    project_path: ClassVar[str] = "project"

    def visible_to(self, user: Any) -> Self:
        """Rows that the user may see."""
        return self._of_members(user, VIEWERS)

    def seen_by(self, pk: Any, users: Sequence[Any]) -> list[Any]:
        """Return those of many users to whom one row is `visible_to`, by two queries."""
        from projects.models import Membership

        project_id = self.filter(pk=pk).values_list(self._key(), flat=True).first()
        if project_id is None:
            return []
        rows = Membership.objects.filter(project_id=project_id, role__in=VIEWERS)
        members = set(rows.filter(user__in={u.pk for u in users}).values_list("user", flat=True))
        return [
            user
            for user in users
            if getattr(user, "is_authenticated", False)
            and (user.is_superuser or user.pk in members)
            and getattr(user, "confined_to_project_id", None) in {None, project_id}
        ]

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

    def with_role_of(self, user: Any) -> Self:
        """Add `role`, what the user may do in each project."""
        if user.is_superuser:
            return self.annotate(role=Value("owner"))
        membership = user.memberships.filter(project=OuterRef("pk")).values("role")
        return self.annotate(role=Subquery(membership[:1]))

    def with_counts(self) -> Self:
        """Add `dataset_count`, `training_run_count` and `model_count`."""
        return self.annotate(
            dataset_count=_count("datasets"),
            training_run_count=_count("training_runs"),
            model_count=_count("models"),
        )


def _count(relation: str) -> Coalesce:
    """Return how many rows of a relation a project has; apps above this one hold the rows."""
    from projects.models import Project

    field: Any = Project._meta.get_field(relation)
    rows = field.related_model._base_manager.filter(**{field.field.name: OuterRef("pk")})
    counted = rows.order_by().values(field.field.name).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


def project_id_of(row: models.Model) -> UUID:
    """Return the id of the project that a row belongs to, by its queryset's `project_path`."""
    path = type(row)._default_manager.all().project_path  # type: ignore[attr-defined]
    *steps, last = f"{path}_id".split("__") if path else ["pk"]
    owner: Any = row
    for step in steps:
        owner = getattr(owner, step)
    return getattr(owner, last)  # type: ignore[no-any-return]


def role_for(user: Any, project_id: UUID) -> str | None:
    """Return the user's role in the project with this id, or None; a superuser acts as owner."""
    if isinstance(user, AnonymousUser) or not user.is_authenticated:
        return None
    confined_to = getattr(user, "confined_to_project_id", None)
    if confined_to is not None and confined_to != project_id:
        return None
    if user.is_superuser:
        return "owner"
    memberships = user.memberships.filter(project_id=project_id)
    return memberships.values_list("role", flat=True).first()  # type: ignore[no-any-return]


def role_in(user: Any, project: Any) -> str | None:
    """Return the user's role in a project, or None; a superuser acts as owner."""
    return role_for(user, project.pk)


def can_edit(user: Any, project: Any) -> bool:
    """Whether the user may import, train, detect and publish in a project."""
    return role_in(user, project) in EDITORS


def can_own(user: Any, project: Any) -> bool:
    """Whether the user may manage a project and its members."""
    return role_in(user, project) in OWNERS
