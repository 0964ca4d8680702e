"""The Django admin: its pages are those of our own apps, and it has no sign-in of its own."""

from collections.abc import Iterable
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest, HttpResponse

_SHOWN = frozenset({"accounts", "auth", "projects", "jobs", "datasets", "training", "detection"})


class PortalAdminSite(AdminSite):
    """Shows the models of our apps and no other: libraries bring pages that were not meant for it.

    Those of django-rq show the arguments of jobs and change queues.
    """

    site_header = site_title = "CVTrainer"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register what is ours; leave the rest out."""
        models = (
            model_or_iterable if isinstance(model_or_iterable, Iterable) else [model_or_iterable]
        )
        ours = [model for model in models if model._meta.app_label in _SHOWN]
        if ours:
            super().register(ours, admin_class, **options)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Send who is not signed in to the one sign-in page, with its limits."""
        answer: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return answer
