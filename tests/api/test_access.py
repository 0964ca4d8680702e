"""Every address × anonymous, outsider, viewer, editor, owner."""

import copy
from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from accounts.models import User
from cvtrainer_site import views
from tests.api.access_rules import API, BODIES, LOGIN, OK, PAGES, PERSONAS
from tests.api.routes import all_routes, fill
from tests.api.world import world  # noqa: F401
from tests.factories import make_import

RULES = {**API, **PAGES}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def clients(outsider: User, viewer: User, editor: User, owner: User) -> dict[str, APIClient]:
    users = dict(zip(PERSONAS, (None, outsider, viewer, editor, owner), strict=True))
    made = {}
    for name, user in users.items():
        made[name] = APIClient(raise_request_exception=False)
        if user is not None:
            made[name].force_login(user)
    return made


def test_every_address_has_a_rule() -> None:
    assert sorted(RULES) == all_routes()


def test_everybody_gets_what_the_rules_say(
    clients: dict[str, APIClient],
    world: dict[str, Any],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Drawing the sample's pictures takes seconds for each who may; its own test draws them.
    monkeypatch.setattr(views, "create_sample_project", lambda user: make_import())
    wrong = {}
    for route, rules in RULES.items():
        for method, rule in rules.items():
            got = tuple(outcome(clients[name], route, method, world) for name in PERSONAS)
            if got != rule:
                wrong[method, route] = f"{got}, not {rule}"

    assert wrong == {}


def test_a_method_without_a_rule_is_not_taken(
    clients: dict[str, APIClient],
    world: dict[str, Any],  # noqa: F811
) -> None:
    taken = [
        (method, route)
        for route in API
        for method in set(METHODS) - set(API[route])
        if clients["owner"].generic(method, fill(route, world)).status_code != 405
    ]

    assert taken == []


def test_what_may_not_be_seen_looks_like_what_is_not_there(
    clients: dict[str, APIClient],
    world: dict[str, Any],  # noqa: F811
) -> None:
    nowhere = dict.fromkeys(world, "00000000-0000-4000-8000-000000000000")
    for route in (route for route in RULES if "<uuid:" in route):
        method = next(iter(RULES[route]))
        answers = [
            clients["outsider"].generic(method, fill(route, ids)) for ids in (world, nowhere)
        ]
        assert [answer.status_code for answer in answers] == [404, 404], route
        if route in API:
            one, other = ({**answer.json(), "request_id": ""} for answer in answers)
            assert one == other, route


def outcome(client: APIClient, route: str, method: str, rows: dict[str, Any]) -> int | str:
    """Ask, undo what it did, and return how the answer counts."""
    body = {name: filled(value, rows) for name, value in BODIES.get((method, route), {}).items()}
    cookies = copy.deepcopy(client.cookies)
    with transaction.atomic():
        answer = getattr(client, method.lower())(fill(route, rows), body or None)
        transaction.set_rollback(True)
    client.cookies = cookies  # who signed out is signed in again
    if answer.status_code == 302 and answer["Location"].startswith("/accounts/login/?next="):
        return LOGIN
    if answer.status_code in {401, 403, 404, 405} or answer.status_code >= 500:
        # /readyz says so where no worker runs.
        return OK if route == "readyz" else answer.status_code
    if answer.status_code == 400 and is_about_an_unseen_row(answer):
        return 400
    return OK


def filled(value: Any, rows: dict[str, Any]) -> Any:
    """Return a value of a body for the rows of a world."""
    if isinstance(value, list):
        return [filled(one, rows) for one in value]
    return value.format(**rows) if isinstance(value, str) else value


def is_about_an_unseen_row(answer: Any) -> bool:
    """Whether the body named a row that the caller may not see."""
    errors = answer.json().get("errors", []) if "json" in answer["Content-Type"] else []
    return any(error["code"] == "does_not_exist" for error in errors)
