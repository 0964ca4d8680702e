"""The pages about oneself: language, password, API tokens."""

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import services
from accounts.forms import TokenForm
from accounts.models import ApiToken, User


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show who is signed in and what can be changed."""
    return render(request, "accounts/account.html", {"sends_letters": bool(settings.EMAIL_FROM)})


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def token_list(request: HttpRequest) -> HttpResponse:
    """Show the user's API tokens; make one and show its secret this once."""
    user = cast(User, request.user)
    projects: Any = ApiToken._meta.get_field("project").related_model
    visible = projects.objects.visible_to(user)
    form = TokenForm(request.POST or None, projects=visible)
    secret = ""
    if request.method == "POST" and form.is_valid():
        _token, secret = services.create_token(user=user, **form.cleaned_data)
        form = TokenForm(projects=visible)
    context = {
        "form": form,
        "secret": secret,
        "now": timezone.now(),
        "tokens": ApiToken.objects.filter(user=user).select_related("project"),
    }
    return render(request, "accounts/token_list.html", context)


@require_POST
@login_required
def token_revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """End a token."""
    token = get_object_or_404(ApiToken, id=token_id, user=cast(User, request.user))
    services.revoke_token(token=token)
    messages.success(
        request, _("The token %(name)s is revoked: its next call is refused.") % {"name": token}
    )
    return redirect("accounts:token_list")


@require_POST
@login_required
def letters(request: HttpRequest) -> HttpResponse:
    """Switch the e-mails about ended trainings and imports on or off."""
    are_wanted = request.POST.get("wanted") == "on"
    services.set_letters(user=cast(User, request.user), are_wanted=are_wanted)
    said = _("You get an e-mail when your trainings and imports end.")
    messages.success(request, said if are_wanted else _("You get no e-mail any more."))
    return redirect("accounts:account")


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
        if isinstance(request.user, User):
            services.set_language(user=request.user, code=code)
    return response


def _next(request: HttpRequest) -> str:
    url = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if is_safe else "/"
