"""A body that is larger than its address takes is cut off, whatever it says about its length."""

import json
import shutil
from typing import Any

import pytest

from cvtrainer_site.asgi import application

MEGABYTE = b"x" * 1_000_000


class Exchange:
    """One request to the ASGI application, with a body in parts of a megabyte."""

    def __init__(self, path: str, megabytes: int, **headers: str) -> None:
        named = {"host": "localhost", "accept-language": "en", **headers}
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in named.items()
            ],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
            "scheme": "http",
            "http_version": "1.1",
        }
        self.megabytes = megabytes
        self.taken = 0
        self.sent: list[dict[str, Any]] = []

    async def run(self) -> None:
        await application(self.scope, self._receive, self._send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def problem(self) -> dict[str, Any]:
        headers = dict(self.sent[0]["headers"])
        assert headers[b"content-type"] == b"application/problem+json"
        found: dict[str, Any] = json.loads(self.sent[1]["body"])
        return found

    async def _receive(self) -> dict[str, Any]:
        self.taken += 1
        return {
            "type": "http.request",
            "body": MEGABYTE,
            "more_body": self.taken < self.megabytes,
        }

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


async def test_a_length_that_is_too_large_is_refused_unread() -> None:
    exchange = Exchange("/api/v1/projects/", 2000, content_length="2000000000")

    await exchange.run()

    assert exchange.status == 413
    assert exchange.problem["code"] == "too_large"
    assert exchange.problem["detail"] == "The request is too large. Send less at once."
    assert exchange.taken == 0


@pytest.mark.parametrize("headers", [{}, {"content_length": "10"}, {"content_length": "-5"}])
async def test_a_body_without_a_true_length_is_cut_off(headers: dict[str, str]) -> None:
    exchange = Exchange("/api/v1/projects/", 2000, **headers)

    await exchange.run()

    assert exchange.status == 413
    assert exchange.taken <= 7
    assert len(exchange.sent) == 2


FILES = (
    "/api/v1/imports/",
    "/api/v1/detections/",
    "/api/v1/uploads/",
    "/projects/x/import/",
)
SIGNED_IN = ({"authorization": "Bearer x"}, {"cookie": "a=b; sessionid=x"})


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("headers", SIGNED_IN)
async def test_where_files_arrive_the_limit_is_another(
    settings: Any, path: str, headers: dict[str, str]
) -> None:
    settings.MAX_UPLOAD_BYTES = 20_000_000

    exchange = Exchange(path, 2000, **headers)
    await exchange.run()

    assert exchange.status == 413
    assert 20 <= exchange.taken <= 22


@pytest.mark.parametrize("path", FILES)
async def test_a_stranger_sends_no_files(path: str) -> None:
    told = Exchange(path, 2000, content_length="2000000000")
    await told.run()
    assert (told.status, told.problem["code"]) == (401, "not_authenticated")
    assert told.taken == 0

    untold = Exchange(path, 2000)
    await untold.run()
    assert untold.status == 413
    assert untold.taken <= 7


async def test_below_where_files_arrive_a_body_is_small() -> None:
    exchange = Exchange("/api/v1/imports/1/cancel/", 2000, **SIGNED_IN[0])
    await exchange.run()
    assert exchange.status == 413
    assert exchange.taken <= 7


async def test_a_body_in_chunks_leaves_room_for_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange = Exchange("/api/v1/imports/", 2000, **SIGNED_IN[0])
    free = shutil.disk_usage("/")

    def usage(_: Any) -> Any:
        return free._replace(free=(1000 if exchange.taken < 40 else 50) * 1024 * 1024)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    await exchange.run()
    assert (exchange.status, exchange.problem["code"]) == (507, "disk_full")
    assert exchange.taken < 80
