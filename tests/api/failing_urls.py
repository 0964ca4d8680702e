"""The site, and views that fail in every way that one can."""

import errno
from typing import Any

import redis
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cvtrainer_site.urls import (  # noqa: F401
    handler400,
    handler403,
    handler404,
    handler500,
)
from cvtrainer_site.urls import urlpatterns as site_urls
from jobs.errors import UserError

SECRET = "/srv/secret/path SELECT password FROM users"

FAILURES: dict[str, Exception] = {
    "user": UserError("last_owner"),
    "missing": Http404(SECRET),
    "forbidden": PermissionDenied(SECRET),
    "suspicious": SuspiciousOperation(SECRET),
    "django-invalid": DjangoValidationError({"name": ["Too short."]}),
    "nested": exceptions.ValidationError(
        {"boxes": [{}, {"x1": ["Too small."]}], "non_field_errors": ["All wrong."]}
    ),
    "throttled": exceptions.Throttled(wait=41.2),
    "database": OperationalError(SECRET),
    "redis": redis.ConnectionError(SECRET),
    "full": OSError(errno.ENOSPC, SECRET),
    "bug": ZeroDivisionError(SECRET),
}


class FailingView(APIView):
    """Fails as its address says."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    def get(self, request: Request, how: str) -> Response:
        """Fail."""
        raise FAILURES[how]

    post = get


def outside(request: HttpRequest, how: str) -> HttpResponse:
    """Fail outside the views of the API."""
    raise FAILURES[how]


urlpatterns = [
    path("api/v1/failing/<str:how>/", FailingView.as_view()),
    path("api/outside/<str:how>/", outside),
    *site_urls,
]
