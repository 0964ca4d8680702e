"""Keeps foreign pages from opening sockets with somebody's cookie."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

App = Callable[[dict[str, Any], Any, Any], Awaitable[Any]]
_PORTS = {"http": 80, "https": 443}


class SameOriginOnly:
    """Refuses a handshake from another origin than our own, before anything else is looked at.

    Browsers always name the origin. Who names none is a program: it needs a ticket.
    """

    def __init__(self, application: App) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        """Pass a handshake on, or refuse it with 403."""
        if is_allowed(scope):
            return await self.application(scope, receive, send)
        await receive()
        return await send({"type": "websocket.close", "code": 4403})


def is_allowed(scope: dict[str, Any]) -> bool:
    """Tell whether a handshake comes from one of our own pages, or brings a ticket."""
    origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if not origins:
        return "ticket" in parse_qs(scope["query_string"].decode("latin-1"))
    if len(origins) > 1 or len(hosts) != 1:
        return False
    if origins[0] in settings.CSRF_TRUSTED_ORIGINS:
        return True
    name, _ = split_domain_port(hosts[0])
    if not name or not validate_host(name, settings.ALLOWED_HOSTS):
        return False
    return _place(origins[0]) == _place(f"//{hosts[0]}", urlsplit(origins[0]).scheme)


def _place(url: str, scheme: str = "") -> tuple[str | None, int | None]:
    """Return host and port; (None, None) of what is no address."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or _PORTS[parts.scheme or scheme]
    except (ValueError, KeyError):
        return None, None
