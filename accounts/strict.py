"""Serializers that refuse what they do not know."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

#: What a form of a page sends beside its fields.
_FORM_FIELDS = frozenset({"csrfmiddlewaretoken"})


class StrictMixin:
    """Answers 400 to a field that the serializer does not have; a read-only one is left alone.

    A client may so send back what it read, but a misspelt or foreign field never passes silently.
    """

    def to_internal_value(self, data: Any) -> Any:
        """Check the names of the fields, then their values.

        Raises:
            ValidationError: `unknown` fields.
        """
        if isinstance(data, Mapping):
            unknown = set(data) - set(self.fields) - _FORM_FIELDS  # type: ignore[attr-defined]
            if unknown:
                raise serializers.ValidationError(
                    {str(name): _("There is no such field.") for name in sorted(unknown)},
                    code="unknown",
                )
        return super().to_internal_value(data)  # type: ignore[misc]


class StrictSerializer(StrictMixin, serializers.Serializer[Any]):
    """A serializer of no model."""


class StrictModelSerializer(StrictMixin, serializers.ModelSerializer[Any]):
    """A serializer of a model."""
