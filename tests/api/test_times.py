"""Every time that the API speaks of is in UTC, whatever the place of the portal."""

import json
import re
from typing import Any

from accounts.models import User
from tests.api.access_rules import API
from tests.api.routes import fill
from tests.api.world import world  # noqa: F401
from tests.personas import ClientFactory

_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def times(found: Any) -> list[str]:
    """Return every text in an answer that is a time."""
    if isinstance(found, dict):
        return [time for value in found.values() for time in times(value)]
    if isinstance(found, list):
        return [time for value in found for time in times(value)]
    return [found] if isinstance(found, str) and _TIME.match(found) else []


def test_all_times_are_utc(
    api: ClientFactory,
    owner: User,
    world: dict[str, Any],  # noqa: F811
) -> None:
    client, seen = api(owner), 0
    for route, rule in API.items():
        answer = client.get(fill(route, world)) if "GET" in rule else None
        if answer is None or not answer.headers["Content-Type"].startswith("application/json"):
            continue
        found = times(json.loads(answer.content))
        assert [time for time in found if not time.endswith("Z")] == [], route
        seen += len(found)
    assert seen > 10
