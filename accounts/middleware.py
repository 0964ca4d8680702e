"""Speaks the language that the person chose."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware


class UserLanguageMiddleware(LocaleMiddleware):
    """Cookie, then the browser's wish, then Vietnamese."""


Handler = Callable[[HttpRequest], HttpResponse]
