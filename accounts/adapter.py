"""How allauth behaves here."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up: administrators create users."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False
