"""Errors that no view of the API saw: unknown addresses, refused hosts, broken middleware.

Below `/api/` they are problems, elsewhere pages.
"""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views import defaults

from cvtrainer_site.api.errors import problem_of
from cvtrainer_site.api.problems import is_api


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 400, or 413 where the request is too large."""
    if is_api(request):
        return problem_of(exception).response()
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 403."""
    if is_api(request):
        return problem_of(exception).response()
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404."""
    if is_api(request):
        return problem_of(exception).response()
    return defaults.page_not_found(request, exception)


def too_many_requests(request: HttpRequest) -> HttpResponseBase:
    """Answer 429: too many tries to sign in."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = "60"
    return response


def server_error(request: HttpRequest, *_: Any) -> HttpResponseBase:
    """Answer 500, or 503 where the database or Redis is away."""
    if is_api(request):
        return problem_of(sys.exc_info()[1]).response()
    return defaults.server_error(request)
