"""Django's entry for the fake job."""

from django.apps import AppConfig


class FakeJobsConfig(AppConfig):
    """Names the app."""

    name = "tests.fake_jobs"
    default_auto_field = "django.db.models.BigAutoField"
