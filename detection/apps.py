"""Django's entry for this app."""

from django.apps import AppConfig


class DetectionConfig(AppConfig):
    """Names the app."""

    name = "detection"

    def ready(self) -> None:
        """Let pictures go with the rows of detections, whoever deletes them; keep house."""
        import detection.leftovers
        import detection.picture_files  # noqa: F401
