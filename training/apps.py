"""Django's entry for this app."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """Names the app."""

    name = "training"

    def ready(self) -> None:
        """Keep house with the others."""
        import training.leftovers  # noqa: F401
