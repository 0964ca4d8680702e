"""What the Django admin shows of the kernel itself; jobs are shown by the apps that own them."""

from django.contrib import admin
from django.http import HttpRequest

from jobs.models import StreamTicket


@admin.register(StreamTicket)
class StreamTicketAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Tickets that are still open: made by machines, changed by nobody."""

    list_display = ["user", "token", "expires_at"]
    search_fields = ["user__username"]
    fields = ["user", "token", "expires_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only the API makes tickets."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: StreamTicket | None = None) -> bool:
        """Nobody changes a ticket; deleting one is allowed."""
        return False
