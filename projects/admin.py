"""Projects and members in the Django admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ReadOnlyAdmin, ReadOnlyInline
from projects.models import Membership, Project


class MembershipInline(ReadOnlyInline):
    """Who may do what in the project."""

    model = Membership
    fields = ["user", "role", "created_at"]


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    """Projects; they are changed on their own pages, where a superuser acts as owner."""

    list_display = ["name", "created_by", "created_at", "datasets", "training_runs", "models"]
    list_select_related = ["created_by"]
    search_fields = ["=id", "name", "description", "memberships__user__username"]
    list_filter = ["created_at"]
    date_hierarchy = "created_at"
    fields = ["id", "name", "description", "created_by", "created_at"]
    inlines = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Count what the projects hold in the same query."""
        rows: QuerySet[Any] = Project.objects.with_counts()
        return rows

    @admin.display(description=_("datasets"), ordering="dataset_count")
    def datasets(self, project: Any) -> int:
        """How many datasets it has."""
        return int(project.dataset_count)

    @admin.display(description=_("training runs"), ordering="training_run_count")
    def training_runs(self, project: Any) -> int:
        """How many training runs it has."""
        return int(project.training_run_count)

    @admin.display(description=_("models"), ordering="model_count")
    def models(self, project: Any) -> int:
        """How many models it has."""
        return int(project.model_count)


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    """Who may do what where."""

    list_display = ["user", "project", "role", "created_at"]
    list_select_related = ["user", "project"]
    search_fields = ["user__username", "user__email", "project__name"]
    list_filter = ["role", "created_at"]
    date_hierarchy = "created_at"
