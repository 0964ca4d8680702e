"""Chromium, the portal's web process, and a visitor who notices what must not happen."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visitor import Visitor, make_visitor
from tests.services.programs import Programs, free_port

_NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Quiet: no sandbox (tests may run as root), no requests of Chromium's own.
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


# Not the session: while Playwright runs, no test of asyncio can run in this process.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for the whole session."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    if not (Path(settings.BASE_DIR) / "static" / "vendor" / "icons.svg").is_file():
        pytest.skip("static/vendor is empty: run `make setup`")
    # Playwright runs an event loop in this thread; Django's ORM must not mind.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_OPTIONS))
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def portal(programs: Programs) -> str:
    """The address of a running web process on the test's database."""
    port = free_port()
    programs.web(port)
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def visit(chromium: Browser, portal: str) -> Iterator[Any]:
    """Makes visitors: `visit(user, width=390, dark=True, language="en")`.

    At the end of the test none of them may have seen a violation of the content security policy, a
    request to another host, or an error of a script.
    """
    visitors: list[Visitor] = []

    def make(user: Any = None, **options: Any) -> Visitor:
        visitors.append(make_visitor(chromium, portal, user, **options))
        return visitors[-1]

    yield make
    seen = [line for visitor in visitors for line in visitor.faults]
    for visitor in visitors:
        visitor.page.context.close()
    assert seen == []
