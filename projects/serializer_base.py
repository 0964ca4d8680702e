"""Serializers whose ids name rows of projects: what the caller may not see does not exist."""

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS

from accounts.strict import StrictMixin
from projects.access import project_id_of
from projects.models import Project
from projects.names import MAX_LENGTH, clean_name


class NameField(serializers.CharField):
    """A name for people: see `projects.names`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": MAX_LENGTH, **kwargs})

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Return the name in composed form; an empty one passes where `allow_blank` says so."""
        value = super().run_validation(data)
        return clean_name(value) if value else value


class ScopedField(serializers.PrimaryKeyRelatedField[Any]):
    """The id of a row in a project; a row that the caller may not see is a 400 `does_not_exist`.

    Give it `queryset=<Model>.objects.all()`, a queryset with `visible_to`. In a request that writes
    the caller's role in the row's project is checked at once (403): see the viewset's
    `roles_needed`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"pk_field": serializers.UUIDField(), **kwargs})

    def get_queryset(self) -> Any:
        """Narrow the rows to those that the caller may see."""
        rows: Any = super().get_queryset()
        if rows is None:
            return None
        owners = rows.project_path.split("__")[:-1]
        visible = rows.visible_to(self.context["request"].user)
        return visible.select_related("__".join(owners)) if owners else visible

    def to_internal_value(self, data: Any) -> Any:
        """Find the row and check the role.

        Raises:
            ValidationError: there is no such row for the caller.
            PermissionDenied: the row may be seen, but the request may not be made.
        """
        row = super().to_internal_value(data)
        if self.context["request"].method not in SAFE_METHODS:
            self.context["view"].require_role(project_id_of(row))
        return row


class ScopedSerializerMixin(StrictMixin):
    """All rows that a request names lie in one project, that of the instance or `project`."""

    def to_internal_value(self, data: Any) -> Any:
        """Check the fields, then that the rows belong together.

        Raises:
            ValidationError: `does_not_exist` for a row of another project.
        """
        values = super().to_internal_value(data)
        found = self._projects(values)
        if not found:
            return values
        instance = getattr(self, "instance", None)
        named = found.get("project", next(iter(found.values())))
        home = project_id_of(instance) if instance is not None else named
        for name, project_id in found.items():
            if project_id != home:
                field: Any = self.fields[name]  # type: ignore[attr-defined]
                message = field.error_messages["does_not_exist"].format(pk_value=data.get(name))
                raise serializers.ValidationError({name: message}, code="does_not_exist")
        return values

    def _projects(self, values: dict[str, Any]) -> dict[str, UUID]:
        fields = self.fields.items()  # type: ignore[attr-defined]
        scoped = {name: field for name, field in fields if isinstance(field, ScopedField)}
        rows = {name: values.get(str(field.source)) for name, field in scoped.items()}
        return {name: project_id_of(row) for name, row in rows.items() if row is not None}


class ScopedSerializer(ScopedSerializerMixin, serializers.Serializer[Any]):
    """What a request names that makes something in a project."""


class ScopedModelSerializer(ScopedSerializerMixin, serializers.ModelSerializer[Any]):
    """Shows a row of a project; read-only where no field says otherwise."""

    serializer_related_field = ScopedField


class ProjectField(ScopedField):
    """The id of a project that the caller may see."""

    def __init__(self, **kwargs: Any) -> None:
        if not kwargs.get("read_only"):
            kwargs.setdefault("queryset", Project.objects.all())
        super().__init__(**kwargs)
