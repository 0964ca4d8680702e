"""What a request may do by its token's scopes; roles in projects are `projects.access`."""

from typing import Any

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request


class IsAuthenticatedWithScope(IsAuthenticated):
    """Signed in, or with a token that has the scope that the view names for this method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Check sign-in and scope."""
        if not super().has_permission(request, view):
            return False
        token = request.auth
        if token is None:
            return True
        reads = request.method in {"GET", "HEAD", "OPTIONS"}
        scope = "read" if reads else getattr(view, "write_scope", "manage")
        return scope in token.scopes
