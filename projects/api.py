"""Projects and their members."""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from accounts.models import User
from projects import services
from projects.access import OWNERS
from projects.models import Membership, Project
from projects.serializers import MemberSerializer, NewMemberSerializer, ProjectSerializer
from projects.viewsets import (
    CreateMixin,
    DestroyMixin,
    ListMixin,
    ProjectScopedViewSet,
    RetrieveMixin,
    UpdateMixin,
)


class ProjectViewSet(
    ListMixin, RetrieveMixin, CreateMixin, UpdateMixin, DestroyMixin, ProjectScopedViewSet
):
    """Projects that the caller is a member of."""

    queryset = Project.objects.all()
    serializer_class = ProjectSerializer
    write_roles = OWNERS
    ordering_fields = ("created_at", "name")

    def get_queryset(self) -> QuerySet[Any]:
        """Tell the role and count what the projects hold in the same query."""
        rows: Any = super().get_queryset()
        return cast(QuerySet[Any], rows.with_role_of(self.request.user).with_counts())

    def perform_create(self, serializer: BaseSerializer[Any]) -> Project:
        """Make it the caller's own; who is confined to one project makes no other."""
        user = cast(User, self.request.user)
        if getattr(user, "confined_to_project_id", None) is not None:
            raise PermissionDenied
        return services.create_project(user=user, **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> Project:
        """Rename or describe it."""
        project = cast(Project, serializer.instance)
        return services.update_project(project=project, **serializer.validated_data)

    def perform_destroy(self, row: Any) -> None:
        """Remove it with all that is in it."""
        services.delete_project(project=row)


class MemberViewSet(ListMixin, CreateMixin, UpdateMixin, DestroyMixin, ProjectScopedViewSet):
    """Members of a project."""

    queryset = Membership.objects.select_related("user")
    serializer_class = MemberSerializer
    write_roles = OWNERS
    lookup_field = "user_id"
    ordering_fields = ("created_at", "role")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Look at the project in the address before anything that the body says."""
        super().initial(request, *args, **kwargs)
        project = self._project()
        if request.method not in SAFE_METHODS:
            self.require_role(project.pk)

    def get_queryset(self) -> QuerySet[Any]:
        """Members of the project in the address."""
        rows: Any = super().get_queryset()
        return cast(QuerySet[Any], rows.filter(project=self._project()))

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Take a user only where one joins."""
        return NewMemberSerializer if self.action == "create" else MemberSerializer

    def perform_create(self, serializer: BaseSerializer[Any]) -> Membership:
        """Let a user in."""
        return services.add_member(project=self._project(), **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> Membership:
        """Give the member another role."""
        member = cast(Membership, serializer.instance)
        role = serializer.validated_data.get("role", member.role)
        return services.change_role(project=member.project, user=member.user, role=role)

    def perform_destroy(self, row: Any) -> None:
        """Put the member out."""
        services.remove_member(project=row.project, user=row.user)

    def _project(self) -> Project:
        project_id: UUID = self.kwargs["project_id"]
        return cast(
            Project,
            get_object_or_404(Project.objects.visible_to(self.request.user), pk=project_id),
        )
