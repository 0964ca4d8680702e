"""Django's entry for this app."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """Names the app."""

    name = "datasets"
