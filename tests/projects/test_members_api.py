"""Members of a project through the API."""

import uuid

import pytest

from accounts.models import ApiToken, User
from projects.models import Membership, Project
from tests.factories import make_member, make_project, make_token
from tests.personas import ClientFactory


@pytest.fixture
def url(project: Project) -> str:
    return f"/api/v1/projects/{project.pk}/members/"


def roles(project: Project) -> dict[str, str]:
    return dict(project.memberships.values_list("user__username", "role"))


def test_every_member_sees_the_members(
    api: ClientFactory, url: str, owner: User, editor: User, viewer: User
) -> None:
    rows = api(viewer).get(url).json()["results"]

    assert {(row["username"], row["role"]) for row in rows} == {
        ("owner", "owner"),
        ("editor", "editor"),
        ("viewer", "viewer"),
    }
    assert rows[0].keys() == {"user_id", "username", "role"}


@pytest.mark.parametrize("by", ["username", "user_id"])
def test_an_owner_adds_a_member(
    api: ClientFactory, url: str, project: Project, owner: User, outsider: User, by: str
) -> None:
    who = {"username": "outsider", "user_id": str(outsider.pk)}[by]

    answer = api(owner).post(url, {by: who, "role": "editor"})

    assert answer.status_code == 201
    assert answer.json() == {
        "user_id": str(outsider.pk),
        "username": "outsider",
        "role": "editor",
    }
    assert roles(project)["outsider"] == "editor"


def test_nobody_is_added_twice(api: ClientFactory, url: str, owner: User, viewer: User) -> None:
    answer = api(owner).post(url, {"username": "viewer", "role": "owner"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "already_member"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "editor"},
        {"username": "nobody", "role": "editor"},
        {"user_id": str(uuid.uuid4()), "role": "editor"},
        {"user_id": "x", "role": "editor"},
        {"username": "outsider"},
        {"username": "outsider", "role": "king"},
    ],
)
def test_a_bad_body_adds_nobody(
    api: ClientFactory, url: str, project: Project, owner: User, outsider: User, body: dict
) -> None:
    assert api(owner).post(url, body).status_code == 400
    assert roles(project) == {"owner": "owner"}


def test_an_editor_may_not_manage_members(
    api: ClientFactory, url: str, project: Project, editor: User, viewer: User, outsider: User
) -> None:
    client = api(editor)

    assert client.post(url, {"username": "outsider", "role": "viewer"}).status_code == 403
    assert client.patch(f"{url}{editor.pk}/", {"role": "owner"}).status_code == 403
    assert client.delete(f"{url}{viewer.pk}/").status_code == 403
    assert roles(project) == {"owner": "owner", "editor": "editor", "viewer": "viewer"}


def test_a_stranger_gets_404_everywhere(
    api: ClientFactory, url: str, outsider: User, viewer: User
) -> None:
    client = api(outsider)

    assert client.get(url).status_code == 404
    assert client.post(url, {"username": "outsider", "role": "owner"}).status_code == 404
    assert client.patch(f"{url}{viewer.pk}/", {"role": "owner"}).status_code == 404
    assert client.delete(f"{url}{viewer.pk}/").status_code == 404


def test_the_last_owner_stays(api: ClientFactory, url: str, owner: User, project: Project) -> None:
    client = api(owner)

    for answer in (
        client.delete(f"{url}{owner.pk}/"),
        client.patch(f"{url}{owner.pk}/", {"role": "viewer"}),
    ):
        assert answer.status_code == 409
        assert answer.json()["code"] == "last_owner"
    assert roles(project) == {"owner": "owner"}


def test_one_of_two_owners_may_go(
    api: ClientFactory, url: str, owner: User, editor: User, project: Project
) -> None:
    client = api(owner)

    assert client.patch(f"{url}{editor.pk}/", {"role": "owner"}).status_code == 200
    assert client.delete(f"{url}{owner.pk}/").status_code == 204
    assert roles(project) == {"editor": "owner"}


def test_who_is_put_out_keeps_no_token_for_the_project(
    api: ClientFactory, url: str, owner: User, editor: User, project: Project
) -> None:
    elsewhere = make_project(editor)
    here = api(editor, "read", project=project)
    wide = api(editor, "read")
    make_token(editor, project=elsewhere)

    assert api(owner).delete(f"{url}{editor.pk}/").status_code == 204

    assert here.get("/api/v1/projects/").status_code == 401
    assert wide.get(f"/api/v1/projects/{project.pk}/").status_code == 404
    assert ApiToken.objects.filter(user=editor).count() == 2


def test_a_member_of_another_project_is_not_found_here(
    api: ClientFactory, url: str, owner: User
) -> None:
    stranger = make_member(make_project()).user

    assert api(owner).delete(f"{url}{stranger.pk}/").status_code == 404
    assert Membership.objects.filter(user=stranger).exists()
