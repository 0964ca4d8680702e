"""A person at a browser, who writes down what must never happen."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Route

PHONE, DESK = 390, 1440
_SERIOUS = {"serious", "critical"}


@dataclass
class Visitor:
    """One page of one browser context."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page and wait until it and its scripts are there."""
        self.page.goto(f"{self.base}{path}")
        return self.page

    @property
    def path(self) -> str:
        """Where the visitor is."""
        return urlsplit(self.page.url).path

    def obstacles(self) -> list[str]:
        """Return what axe finds to be serious for people with disabilities."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{rule['id']}: {node['html'][:160]}"
            for rule in found
            if rule["impact"] in _SERIOUS
            for node in rule["nodes"]
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def make_visitor(
    browser: Browser,
    base: str,
    user: Any = None,
    *,
    width: int = DESK,
    dark: bool = False,
    language: str = "vi",
) -> Visitor:
    """Return a visitor, signed in where a user is given."""
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme="dark" if dark else "light",
        locale=language,
        has_touch=width == PHONE,
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    # The language that this device has chosen; what the browser wishes does not count.
    chosen: Any = {"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": base}
    context.add_cookies([chosen])
    if user is not None:
        context.add_cookies([_session(user, base)])
    visitor = Visitor(context.new_page(), base)
    _watch(visitor)
    return visitor


def _session(user: Any, base: str) -> Any:
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    return {"name": cookie.key, "value": cookie.value, "url": base}


def _watch(visitor: Visitor) -> None:
    """Note violations of the policy, errors of scripts, and requests that leave the host."""
    home = urlsplit(visitor.base).hostname

    def console(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            visitor.faults.append(message.text)

    def guard(route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.scheme in {"http", "https"} and url.hostname != home:
            visitor.faults.append(f"left the host: {route.request.url}")
            route.abort()
        else:
            route.continue_()

    visitor.page.on("console", console)
    visitor.page.on("pageerror", lambda error: visitor.faults.append(f"script: {error}"))
    visitor.page.context.route("**/*", guard)
