"""Addresses end with a slash; where one is missing, a page is looked for with it."""

from django.http import HttpRequest
from django.middleware.common import CommonMiddleware

from cvtrainer_site.api.problems import is_api


class SlashMiddleware(CommonMiddleware):
    """Redirects who reads. A client of the API that writes would come back without its body."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        """Whether there is something to read at the address with a slash."""
        if is_api(request) and request.method not in {"GET", "HEAD"}:
            return False
        return super().should_redirect_with_slash(request)
