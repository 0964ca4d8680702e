"""Django's entry for this app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Names the app."""

    name = "jobs"

    def ready(self) -> None:
        """Take part in the housekeeping."""
        import jobs.leftovers  # noqa: F401
