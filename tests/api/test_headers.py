"""What every answer says to the browser, and what a request from elsewhere cannot do."""

from typing import Any

from django.apps import apps
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from tests.api.access_rules import API, PAGES
from tests.api.routes import all_routes, fill
from tests.api.world import world  # noqa: F401

RULES = {**API, **PAGES}
GUARDS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
POLICY = {
    "default-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
    "base-uri": "'none'",
}


def test_every_answer_is_guarded(owner: User, world: dict[str, Any]) -> None:  # noqa: F811
    client = Client()
    client.force_login(owner)

    bad = {}
    for route in (route for route, rules in RULES.items() if "GET" in rules):
        if wrong := missing_guards(client.get(fill(route, world))):
            bad[route] = wrong

    assert bad == {}


def missing_guards(answer: Any) -> dict[str, str | None]:
    """Return the headers and directives that are not as they should be."""
    wrong = {name: answer.get(name) for name, value in GUARDS.items() if answer.get(name) != value}
    text = answer["Content-Security-Policy"]
    parts = (part.strip().partition(" ") for part in text.split(";"))
    policy = {name: value for name, _, value in parts}
    if "sandbox" not in policy:  # a stored file, where nothing at all runs
        wrong |= {name: text for name, value in POLICY.items() if policy.get(name) != value}
        if "unsafe" in text or "http" in text or not policy["script-src"].startswith("'self'"):
            wrong["script-src"] = text
    leaks = {"Access-Control-Allow-Origin", "Server", "X-Powered-By"} & set(answer.headers)
    return wrong | {name: answer[name] for name in leaks}


def test_cookies_are_guarded(owner: User, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    client = Client()
    body = {"login": owner.username, "password": "a-long-enough-password"}

    csrf = client.get("/accounts/login/", secure=True).cookies["csrftoken"]
    session = client.post("/accounts/login/", body, secure=True).cookies["sessionid"]

    assert csrf["secure"] and csrf["samesite"] == "Lax"
    assert session["secure"] and session["samesite"] == "Lax" and session["httponly"]


def test_a_session_alone_writes_nothing(owner: User, world: dict[str, Any]) -> None:  # noqa: F811
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(owner)
    before = row_counts()

    got = {}
    for route, rules in RULES.items():
        for method in set(rules) - {"GET"}:
            url = fill(route, world)
            answer = client.generic(method, url, b"{}", content_type="application/json")
            is_refused = answer.status_code == 403
            if not is_refused or (route in API and answer.json()["code"] != "csrf_failed"):
                got[method, route] = answer.status_code

    assert got == {}
    assert row_counts() == before


def test_reading_changes_nothing(owner: User, world: dict[str, Any]) -> None:  # noqa: F811
    client = Client()
    client.force_login(owner)
    before = row_counts()

    for route in all_routes():
        client.get(fill(route, world))

    assert row_counts() == before


def row_counts() -> dict[str, int]:
    """Return how many rows each of our tables has."""
    ours = ("accounts", "projects", "jobs", "datasets", "training", "detection", "auth")
    models = [model for app in ours for model in apps.get_app_config(app).get_models()]
    return {model._meta.label: model._base_manager.count() for model in models}
