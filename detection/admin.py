"""Detections and evaluations in the Django admin: to be looked at; workers write them."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ReadOnlyAdmin, ReadOnlyInline
from detection.models import (
    Detection,
    DetectionEvent,
    DetectionImage,
    Evaluation,
    EvaluationEvent,
)

_JOB = ["status", "attempt", "losses", "worker", "lease_until", "created_by", "created_at"]


class ImageInline(ReadOnlyInline):
    """The pictures of a detection."""

    model = DetectionImage
    fields = ["index", "file_name", "width", "height", "error"]


class JobEventAdmin(ReadOnlyAdmin):
    """The story of a job, frame by frame."""

    list_display = ["job", "seq", "type", "at", "payload"]
    list_select_related = ["job"]
    search_fields = ["=job__id", "payload"]
    list_filter = ["type", "at"]
    ordering = ["-id"]


@admin.register(Detection)
class DetectionAdmin(ReadOnlyAdmin):
    """Detections as jobs: how they stand, who holds them until when, why they failed."""

    list_display = ["id", "project", "model", "pictures", *_JOB, "finished_at"]
    list_select_related = ["project", "model", "created_by"]
    search_fields = ["=id", "project__name", "model__name", "worker"]
    list_filter = ["status", "created_at"]
    date_hierarchy = "created_at"
    inlines = [ImageInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Count the pictures in the same query."""
        rows: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = rows.annotate(picture_count=Count("images"))
        return counted

    @admin.display(description=_("pictures"), ordering="picture_count")
    def pictures(self, detection: Any) -> int:
        """How many pictures were sent."""
        return int(detection.picture_count)


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    """Evaluations as jobs: how they stand, who holds them until when, why they failed."""

    list_display = ["id", "project", "model", "dataset_version", "split", *_JOB, "finished_at"]
    list_select_related = ["project", "model", "dataset_version__dataset", "created_by"]
    search_fields = ["=id", "project__name", "model__name", "worker"]
    list_filter = ["status", "split", "created_at"]
    date_hierarchy = "created_at"


admin.site.register([DetectionEvent, EvaluationEvent], JobEventAdmin)
