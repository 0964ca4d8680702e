"""Django's entry for this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Names the app."""

    name = "accounts"

    def ready(self) -> None:
        """Take part in the housekeeping."""
        import accounts.leftovers  # noqa: F401
