"""How allauth behaves here."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from django.http import HttpRequest


class ClosedAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up; a wrong password may be tried a few times a minute."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Refuse: administrators create users."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count a try; success gives it back.

        Counted by account and address, so that nobody is locked out by tries from elsewhere. The
        answer is the same for an account that does not exist.

        Raises:
            ImmediateHttpResponse: 429, too many in this minute.
        """
        account = credentials.get("username") or credentials.get("email") or ""
        key = f"{self.get_client_ip(request)} {account.strip().lower()}"
        usage = ratelimit.consume(request, app="allauth.account", action="login_failed", key=key)
        self._login_failed_rl_usage = usage
        if not usage:
            raise ImmediateHttpResponse(ratelimit.respond_429(request))
