"""What a request may do by its token's scopes; roles in projects are `projects.access`."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request

from accounts.models import Scope
from accounts.throttling import count_stranger


class IsAuthenticatedWithScope(IsAuthenticated):
    """Signed in, or with a token that has the scope which the view names.

    Reading takes `read`. Writing takes the view's `write_scope` ("manage" where it names none), or
    what its `action_scopes` names for the action. A view with `session_only` refuses every token;
    one with `any_scope` takes every token.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Check sign-in and scope.

        Raises:
            Throttled: too many requests of nobody known came from this address.
        """
        if not super().has_permission(request, view):
            count_stranger(request)
            return False
        token: Any = request.auth
        if token is None or getattr(view, "any_scope", False):
            return True
        if getattr(view, "session_only", False):
            self.message, self.code = "", "session_only"
            return False
        scope = needed_scope(request.method or "", view)
        self.message, self.code = scope, "scope_missing"
        return scope in token.scopes


def needed_scope(method: str, view: Any) -> str:
    """Return the scope that a token needs for a method of a view."""
    by_action: dict[str, str] = getattr(view, "action_scopes", {})
    if scope := by_action.get(getattr(view, "action", None) or ""):
        return scope
    if method in SAFE_METHODS:
        return Scope.READ
    return str(getattr(view, "write_scope", Scope.MANAGE))
