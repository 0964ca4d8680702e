"""Addresses for machines that watch the portal."""

from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from cvtrainer_site.api import problems
from cvtrainer_site.health import readiness
from cvtrainer_site.metrics import REGISTRY


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether all is there to work; 503 names what is not."""
    checks = readiness()
    away = [name for name, is_there in checks.items() if not is_there]
    if not away:
        return JsonResponse({"status": "ok", "checks": checks})
    problem = problems.Problem(
        503, "not_ready", _("Not ready: {parts}.").format(parts=", ".join(away))
    )
    problem.errors = [problems.FieldError(name, "away", name) for name in away]
    return JsonResponse(
        {**problem.as_json(), "checks": checks},
        status=503,
        headers={"Retry-After": "5"},
        content_type=problems.CONTENT_TYPE,
    )


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Give figures to Prometheus, from a configured network or to staff; to others it is a 404."""
    if not (_is_watcher(request) or _is_staff(request)):
        raise Http404
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _is_staff(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.is_active and user.is_staff)


def _is_watcher(request: HttpRequest) -> bool:
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(address in ip_network(network) for network in settings.METRICS_NETWORKS)
