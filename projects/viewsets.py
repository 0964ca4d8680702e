"""The base of every endpoint on what belongs to a project.

    class RunViewSet(JobActionsMixin, ListMixin, RetrieveMixin, CreateMixin, ProjectScopedViewSet):
        queryset = TrainingRun.objects.select_related("model")
        serializer_class = RunSerializer             # how a run is shown
        write_serializer_class = NewRunSerializer    # what a request may say; a ScopedSerializer
        write_scope = "train"                        # what a token needs to write
        filterset_fields = ("project", "status")     # closed lists
        ordering_fields = ("created_at", "name")
        created_status = 202

        def perform_create(self, serializer):        # calls the service, returns the row
            return services.start_run(user=self.request.user, **serializer.validated_data)

Strangers get a 404 by the queryset, members whose role is too small a 403, tokens without the scope
a 403, foreign ids in a body a 400, unknown fields a 400, and POSTs heed `Idempotency-Key`.
"""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.exceptions import PermissionDenied
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from accounts.idempotency import idempotent
from accounts.models import User
from projects.access import EDITORS, project_id_of, role_for


class ProjectScopedViewSet(GenericViewSet[Any]):
    """Rows of projects: what the caller may see, changed by who may change them."""

    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_value_converter = "uuid"
    #: What a token needs to write; `action_scopes` names exceptions, by action.
    write_scope: ClassVar[str] = "manage"
    action_scopes: ClassVar[dict[str, str]] = {}
    #: Who may write; `action_roles` names exceptions, by action.
    write_roles: ClassVar[frozenset[str]] = EDITORS
    action_roles: ClassVar[dict[str, frozenset[str]]] = {}
    #: What a request may say, where that is not how a row is shown.
    write_serializer_class: ClassVar[type[BaseSerializer[Any]] | None] = None
    filterset_fields: ClassVar[Any] = ()
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at",)

    @property
    def user(self) -> User:
        """Whoever asks: signed in, by the permission that every endpoint has."""
        return cast(User, self.request.user)

    def get_queryset(self) -> Any:
        """Rows that the caller may see; every other id is a 404."""
        rows: Any = super().get_queryset()
        return rows.visible_to(self.request.user)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Return what reads a write, else what shows a row."""
        if self.request.method not in SAFE_METHODS and self.write_serializer_class is not None:
            return self.write_serializer_class
        return super().get_serializer_class()

    def check_object_permissions(self, request: Request, obj: Any) -> None:
        """Refuse a write to who may see the row but not change it."""
        super().check_object_permissions(request, obj)
        if request.method not in SAFE_METHODS:
            self.require_role(project_id_of(obj))

    def require_role(self, project_id: UUID) -> None:
        """Refuse a user whose role in the project is too small for this action.

        Raises:
            PermissionDenied: it is.
        """
        roles = self.action_roles.get(self.action or "", self.write_roles)
        if role_for(self.request.user, project_id) not in roles:
            raise PermissionDenied

    def shown(self, row: Any) -> Any:
        """Return a row as the API shows it, read anew so that nothing computed is missing.

        Raises:
            Http404: it was deleted meanwhile, or whoever asks has lost access to it.
        """
        fresh = get_object_or_404(self.get_queryset(), pk=row.pk)
        serializer: Any = super().get_serializer_class()
        return serializer(fresh, context=self.get_serializer_context()).data


class ListMixin(ListModelMixin):
    """Adds `GET /things/`."""


class RetrieveMixin(RetrieveModelMixin):
    """Adds `GET /things/{id}/`."""


class CreateMixin(ProjectScopedViewSet):
    """Adds `POST /things/`."""

    created_status: ClassVar[int] = status.HTTP_201_CREATED

    @idempotent()
    def create(self, request: Request, *_: Any, **__: Any) -> Response:
        """Make one."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        row = self.perform_create(serializer)
        return Response(self.shown(row), status=self.created_status)

    def perform_create(self, serializer: BaseSerializer[Any]) -> Any:
        """Call the service with the validated data and return the new row."""
        raise NotImplementedError


class UpdateMixin(ProjectScopedViewSet):
    """Adds `PATCH /things/{id}/`."""

    def partial_update(self, request: Request, *_: Any, **__: Any) -> Response:
        """Change the named fields."""
        row = self.get_object()
        serializer = self.get_serializer(row, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if serializer.validated_data:
            row = self.perform_update(serializer) or row
        return Response(self.shown(row))

    def perform_update(self, serializer: BaseSerializer[Any]) -> Any:
        """Call the service with `serializer.instance` and the validated data."""
        raise NotImplementedError


class DestroyMixin(ProjectScopedViewSet):
    """Adds `DELETE /things/{id}/`."""

    def destroy(self, request: Request, *_: Any, **__: Any) -> Response:
        """Remove it."""
        self.perform_destroy(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def perform_destroy(self, row: Any) -> None:
        """Call the service that removes the row."""
        raise NotImplementedError
