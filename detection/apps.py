"""Django's entry for this app."""

from django.apps import AppConfig


class DetectionConfig(AppConfig):
    """Names the app."""

    name = "detection"
