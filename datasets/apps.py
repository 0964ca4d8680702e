"""Django's entry for this app."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """Names the app."""

    name = "datasets"

    def ready(self) -> None:
        """Take part in the housekeeping."""
        import datasets.leftovers  # noqa: F401
