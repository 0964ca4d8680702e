"""Speaks the language that the person chose."""

from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header


class UserLanguageMiddleware(LocaleMiddleware):
    """Pages: the user's choice, then the device's, then Vietnamese, whatever the browser wishes.

    The API: what the client asks for in Accept-Language, then as pages.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Activate the language for this request."""
        wishes = request.headers.get("Accept-Language", "")
        language = language_asked_for(wishes) if request.path.startswith("/api/") else None
        translation.activate(language or _chosen(request) or settings.LANGUAGE_CODE)
        request.LANGUAGE_CODE = translation.get_language()


def language_asked_for(wishes: str) -> str | None:
    """Return the first language of an Accept-Language header that there is here."""
    for wish, _weight in parse_accept_lang_header(wishes):
        if language := _known(wish):
            return language
    return None


def _chosen(request: HttpRequest) -> str | None:
    try:
        user: Any = request.user
        by_user: str = getattr(user, "language", "")
    except DatabaseError:
        by_user = ""
    return _known(by_user or request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""))


def _known(code: str) -> str | None:
    try:
        return translation.get_supported_language_variant(code)
    except LookupError:
        return None
