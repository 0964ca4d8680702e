"""Django's entry for this app."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """Names the app."""

    name = "training"

    def ready(self) -> None:
        """Have the sentences for its errors known in every process; keep house with the others."""
        import training.errors
        import training.leftovers  # noqa: F401
