"""A person at a browser, who writes down what must never happen."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Route

PHONE, DESK = 390, 1440
_SERIOUS = {"serious", "critical"}
#: Asks the page what a finger meets above and below the middle of each target: labels, and areas
#: that are larger than what is seen, count.
_SMALL_TARGETS = """() => {
  const least = 44, wanted = "a[href], button, summary, input, select, textarea";
  const hits = (element, x, y) => {
    const met = document.elementFromPoint(x, y);
    const label = met?.closest("label");
    return met && (element.contains(met) || (label && label.control === element));
  };
  const isAmidText = (element) => {
    const around = [...element.parentElement.childNodes];
    const isInline = element.matches("a") && getComputedStyle(element).display === "inline";
    return isInline && around.some((node) => node.nodeType === 3 && node.data.trim());
  };
  const height = (element) => {
    const box = element.getClientRects()[0];
    const x = box.x + Math.min(box.width / 2, 20), y = box.y + box.height / 2;
    const reach = (step) => {
      let far = 0;
      while (far < least && hits(element, x, y + step * (far + 1))) far += 1;
      return far;
    };
    return hits(element, x, y) ? 1 + reach(-1) + reach(1) : 0;
  };
  const found = [];
  for (const element of document.querySelectorAll(wanted)) {
    if (!element.checkVisibility({ visibilityProperty: true }) || element.disabled) continue;
    if (element.matches(".skip-link, .visually-hidden") || isAmidText(element)) continue;
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const parts = [element, ...(element.matches(".form-check-input") ? element.labels : [])];
    const heights = parts.map((part) => Math.round(part.getBoundingClientRect().height));
    const high = Math.max(height(element), ...heights);
    if (high < least) found.push([high, element.outerHTML.slice(0, 160)]);
  }
  return found;
}"""


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

    def problems(self) -> list[str]:
        """Return all that is in anybody's way on the page as it is now."""
        found = self.obstacles()
        if (wider := self.overflow()) > 0:
            found.append(f"wider than the window by {wider}")
        if self.page.evaluate("innerWidth") == PHONE:
            found += self.small_targets()
        return found

    def small_targets(self) -> list[str]:
        """Return what a thumb is to hit and is lower than 44 pixels; links amid a text may be."""
        found = self.page.evaluate(_SMALL_TARGETS)
        self.page.evaluate("scrollTo(0, 0)")
        return [f"only {height} pixels high: {html}" for height, html in found]

    def shoot(self, name: str) -> None:
        """Keep a picture of the page if `TEST_SHOTS` names a folder."""
        if folder := os.environ.get("TEST_SHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

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


def wait_for_bell(page: Page) -> None:
    """Wait until the bell is done with its first answer: before that it asks nothing else."""
    settled = "#activity[hx-get*='since']:not([class*='htmx'])"
    page.locator(settled).wait_for(state="attached")


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
