"""Closed lists of filters and orderings; what is not on them is a 400."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db.models import ForeignKey, OneToOneField, QuerySet
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend, FilterSet, UUIDFilter
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request


class ScopedFilterSet(FilterSet):  # type: ignore[misc]
    """Related rows are named by id and never looked up: a foreign id just matches nothing."""

    FILTER_DEFAULTS: ClassVar[dict[Any, Any]] = {
        **FilterSet.FILTER_DEFAULTS,
        ForeignKey: {"filter_class": UUIDFilter},
        OneToOneField: {"filter_class": UUIDFilter},
    }


class ScopedFilterBackend(DjangoFilterBackend):  # type: ignore[misc]
    """Reads a viewset's `filterset_fields` or `filterset_class`."""

    filterset_base = ScopedFilterSet


class ClosedOrderingFilter(OrderingFilter):
    """`?ordering=` by the viewset's `ordering_fields`; the id decides between equals."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        """Return the fields to order by; pages would overlap without a last one that is unique."""
        ordering = super().get_ordering(request, queryset, view) or queryset.query.order_by
        ordering = tuple(ordering or queryset.model._meta.ordering or ())
        return (*ordering, "pk") if {"pk", "-pk"}.isdisjoint(ordering) else ordering

    def remove_invalid_fields(
        self, queryset: QuerySet[Any], fields: Iterable[str], view: Any, request: Request
    ) -> list[str]:
        """Refuse a field that is not on the list.

        Raises:
            ValidationError: `invalid_choice`.
        """
        fields = list(fields)
        valid = super().remove_invalid_fields(queryset, fields, view, request)
        if unknown := [field for field in fields if field not in valid]:
            choices = ", ".join(view.ordering_fields)
            text = _("Cannot order by %(field)s. Choose from: %(choices)s.")
            raise ValidationError(
                {"ordering": text % {"field": unknown[0], "choices": choices}},
                code="invalid_choice",
            )
        return list(valid)
