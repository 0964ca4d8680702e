"""The pages about oneself: language, password, API tokens."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show who is signed in and what can be changed."""
    return render(request, "accounts/account.html")


@require_safe
@login_required
def token_list(request: HttpRequest) -> HttpResponse:
    """Show the user's API tokens."""
    return render(request, "accounts/token_list.html")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Remember the language, on the device and for the user, and go back to the page."""
    code = request.POST.get("language", "")
    response = redirect(_next(request))
    if code in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            code,
            max_age=365 * 24 * 3600,
            secure=settings.IS_HTTPS,
            samesite="Lax",
        )
        if request.user.is_authenticated:
            request.user.language = code
            request.user.save(update_fields=["language"])
    return response


def _next(request: HttpRequest) -> str:
    url = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if is_safe else "/"
