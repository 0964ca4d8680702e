"""An address to listen on is not always one to connect to."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvtrainer_site.supervisor import probe
from cvtrainer_site.supervisor.address import local_url, reachable
from samples import demo_portal
from scripts import healthcheck
from tests.ops.portal import ROOT, clean_environment

_CASES = [
    ("127.0.0.1", "127.0.0.1", "http://127.0.0.1:8000"),
    ("0.0.0.0", "127.0.0.1", "http://127.0.0.1:8000"),
    ("::", "::1", "http://[::1]:8000"),
    ("192.168.1.7", "192.168.1.7", "http://192.168.1.7:8000"),
    ("shelves.local", "shelves.local", "http://shelves.local:8000"),
]


@pytest.mark.parametrize(("host", "address", "url"), _CASES)
def test_what_listens_everywhere_is_reached_here(
    host: str, address: str, url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HOST = host
    monkeypatch.setenv("CVTRAINER_HOST", host)

    assert reachable(host) == probe.local_address() == address
    assert local_url(host, 8000) == demo_portal.own_url() == url


@pytest.mark.parametrize(("host", "url"), [(host, url) for host, _, url in _CASES])
def test_people_are_told_an_address_that_a_browser_can_open(
    home: Path, host: str, url: str
) -> None:
    show = "import cvtrainer_site.settings as settings; print(settings.PUBLIC_URL)"
    environment = clean_environment(home, CVTRAINER_HOST=host, SECRET_KEY="s", FIELD_KEYS="f")
    told = subprocess.run(
        [sys.executable, "-c", show],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == url


class _Well(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[http.server.HTTPServer]:
    """A server that does not answer at 127.0.0.1."""
    server = http.server.HTTPServer(("127.0.0.2", 0), _Well)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_check_of_an_image_asks_where_the_web_process_listens(
    elsewhere: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVTRAINER_PORT", str(elsewhere.server_port))
    monkeypatch.setenv("CVTRAINER_HOST", "127.0.0.2")
    assert healthcheck.web_answers()

    monkeypatch.setenv("CVTRAINER_HOST", "0.0.0.0")
    assert not healthcheck.web_answers()
