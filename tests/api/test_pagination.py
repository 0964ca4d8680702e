"""Lists come in pages: 50 a page where nobody asks, 500 at most, and none is left out."""

from typing import Any

import pytest

from accounts.models import User
from projects.models import Membership, Project, Role
from tests.personas import ClientFactory

pytestmark = pytest.mark.django_db

_URL = "/api/v1/projects/"
_MOST = 500


@pytest.fixture
def many(owner: User) -> int:
    """One project more than a page can hold."""
    rows = [Project(name=f"Project {number:03}", created_by=owner) for number in range(_MOST + 1)]
    projects = Project.objects.bulk_create(rows)
    roles = [Membership(project=project, user=owner, role=Role.OWNER) for project in projects]
    return len(Membership.objects.bulk_create(roles))


def test_a_page_holds_50_unless_more_are_asked_for_and_never_more_than_500(
    api: ClientFactory, owner: User, many: int
) -> None:
    client = api(owner)

    def page(**asked: Any) -> dict[str, Any]:
        answer: dict[str, Any] = client.get(_URL, asked).json()
        return answer

    assert (len(page()["results"]), page()["count"]) == (50, many)
    assert len(page(page_size=7)["results"]) == 7
    assert len(page(page_size=_MOST)["results"]) == _MOST
    assert len(page(page_size=many)["results"]) == len(page(page_size=10**9)["results"]) == _MOST
    for nonsense in ("0", "-1", "many", ""):
        assert len(page(page_size=nonsense)["results"]) == 50


def test_the_pages_together_are_the_whole_list(api: ClientFactory, owner: User, many: int) -> None:
    client = api(owner)
    seen: list[str] = []
    url: str | None = f"{_URL}?page_size=200"
    while url:
        answer = client.get(url).json()
        seen += [row["id"] for row in answer["results"]]
        url = answer["next"]
    assert len(seen) == len(set(seen)) == many
    beyond = client.get(_URL, {"page": 99})
    assert (beyond.status_code, beyond.json()["code"]) == (404, "not_found")
