"""Users, groups, tokens and remembered answers in the Django admin: for superusers only."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ReadOnlyAdmin, SuperuserMixin
from accounts.models import ApiToken, IdempotentAnswer, User
from jobs.models import EndNotice, StreamTicket

admin.site.unregister(Group)


class NewUserForm(UserCreationForm):  # type: ignore[type-arg]
    """A name and a password: a user without one could never sign in."""

    class Meta:
        model = User
        fields = ["username"]


@admin.register(User)
class PersonAdmin(SuperuserMixin, UserAdmin):  # type: ignore[type-arg]
    """Users are deactivated, never deleted: projects must keep their owners."""

    list_display = ["username", "email", "is_active", "is_staff", "is_superuser", "last_login"]
    search_fields = ["username", "email", "first_name", "last_name"]
    readonly_fields = ["last_login", "date_joined"]
    add_form = NewUserForm
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2")}),)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (None, {"fields": ("first_name", "last_name", "email", "email_when_done", "language")}),
        (None, {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (None, {"fields": ("last_login", "date_joined")}),
    )
    filter_horizontal = ["groups"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


@admin.register(Group)
class PersonGroupAdmin(SuperuserMixin, GroupAdmin):
    """Groups of rights in this admin; roles in projects are something else."""

    list_display = ["name", "members"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """Count the members in the same query."""
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(member_count=Count("user"))

    @admin.display(description=_("members"), ordering="member_count")
    def members(self, group: Any) -> int:
        """How many users are in it."""
        return int(group.member_count)


@admin.register(ApiToken)
class ApiTokenAdmin(SuperuserMixin, ReadOnlyAdmin):
    """Tokens: looked at and revoked, never made or changed; the digest is not shown."""

    list_display = ["name", "user", "scopes", "project", "created", "expiry", "last_used_at"]
    list_select_related = ["user", "project"]
    search_fields = ["name", "user__username", "project__name"]
    list_filter = ["created", "expiry"]
    date_hierarchy = "created"
    fields = ["id", "name", "user", "scopes", "project", "created", "expiry", "last_used_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Revoking is deleting."""
        return self.has_view_permission(request, obj)


@admin.register(IdempotentAnswer)
class IdempotentAnswerAdmin(SuperuserMixin, ReadOnlyAdmin):
    """Answers that are given again to repeated requests."""

    list_display = ["key", "user", "path", "status_code", "created_at"]
    list_select_related = ["user"]
    search_fields = ["key", "user__username", "path"]
    list_filter = ["status_code", "created_at"]
    date_hierarchy = "created_at"
    fields = ["key", "user", "path", "status_code", "created_at", "body"]


@admin.register(StreamTicket)
class StreamTicketAdmin(SuperuserMixin, ReadOnlyAdmin):
    """Tickets for sockets that are still open: made by machines, gone in a minute."""

    list_display = ["user", "expires_at"]
    search_fields = ["user__username"]
    fields = ["user", "expires_at"]


@admin.register(EndNotice)
class EndNoticeAdmin(SuperuserMixin, ReadOnlyAdmin):
    """Letters about ended jobs that have not been sent yet."""

    list_display = ["user", "slug", "job_id", "status", "tries", "next_try_at", "created_at"]
    list_select_related = ["user"]
    search_fields = ["user__username", "=job_id"]
    list_filter = ["slug", "status"]
