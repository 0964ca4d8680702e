"""What every page may show."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the link to the source that the licence asks for."""
    return {"SOURCE_URL": settings.SOURCE_URL}
