"""Django's entry for this app."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """Names the app."""

    name = "training"
