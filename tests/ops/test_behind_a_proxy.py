"""TLS ends at a proxy: the portal knows that people come by https, and from where."""

from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from cvtrainer_site import asgi
from cvtrainer_site.supervisor import plan


@pytest.mark.parametrize(
    ("is_https", "arrives_as", "seen_as"),
    [(True, "http", "https"), (True, "https", "https"), (False, "http", "http")],
)
async def test_a_request_has_the_scheme_of_the_public_address(
    settings: Any, monkeypatch: pytest.MonkeyPatch, is_https: bool, arrives_as: str, seen_as: str
) -> None:
    settings.IS_HTTPS = is_https
    seen = []

    async def portal(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["scheme"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    monkeypatch.setattr(asgi, "_http", portal)
    scope = {"type": "http", "scheme": arrives_as, "path": "/", "headers": []}
    await ApplicationCommunicator(asgi.http, scope).receive_output()

    assert seen == [seen_as]


def test_no_forwarded_address_is_believed_by_default() -> None:
    command = plan.web().command

    assert "--no-proxy-headers" in command
    assert "--forwarded-allow-ips" not in command


def test_only_the_named_proxies_are_believed(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "192.168.1.7"]

    command = plan.web().command

    assert "--proxy-headers" in command and "--no-proxy-headers" not in command
    assert command[command.index("--forwarded-allow-ips") + 1] == "10.0.0.0/8,192.168.1.7"
