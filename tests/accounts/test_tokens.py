"""Tokens of machine clients: shown once, scoped, confined, expiring, revoked at once."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiToken, Scope, User
from projects.models import Project
from tests.factories import make_project, make_token
from tests.personas import ClientFactory

URL = "/api/v1/tokens/"
ME = "/api/v1/me/"


def bearer(secret: str) -> APIClient:
    client = APIClient(headers={"accept-language": "en"})
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_a_token_is_shown_once_and_works(
    api: ClientFactory, editor: User, project: Project
) -> None:
    body = {"name": "eSales", "scopes": ["detect", "read", "read"], "project": str(project.pk)}

    made = api(editor).post(URL, body)

    assert made.status_code == 201
    assert made.json().items() >= {**body, "scopes": ["read", "detect"]}.items()
    listed = api(editor).get(URL).json()["results"][0]
    assert listed == {name: value for name, value in made.json().items() if name != "token"}
    me = bearer(made.json()["token"]).get(ME).json()
    assert me["token"] == {"scopes": ["read", "detect"], "project": str(project.pk)}


def test_who_asks(api: ClientFactory, owner: User) -> None:
    assert api(owner).get(ME).json() == {
        "id": str(owner.pk),
        "username": "owner",
        "email": "owner@example.com",
        "language": "vi",
        "is_staff": False,
        "token": None,
    }


def test_the_database_alone_opens_nothing(owner: User) -> None:
    row, secret = make_token(owner)

    stored = " ".join(str(value) for value in vars(row).values())

    assert secret.startswith("cvt_") and len(secret) > 40
    assert secret not in stored
    assert bearer(row.digest).get(ME).status_code == 401
    assert bearer(row.token_key).get(ME).status_code == 401


@pytest.mark.parametrize("scope", Scope.values)
@pytest.mark.parametrize(
    ("method", "path", "needs"),
    [
        ("get", "/api/v1/projects/", "read"),
        ("get", "/api/v1/imports/", "read"),
        ("post", "/api/v1/imports/", "import"),
        ("post", "/api/v1/training-runs/", "train"),
        ("post", "/api/v1/detections/", "detect"),
        ("post", "/api/v1/projects/", "manage"),
    ],
)
def test_each_scope_opens_what_it_names(
    api: ClientFactory, editor: User, scope: str, method: str, path: str, needs: str
) -> None:
    answer = getattr(api(editor, scope), method)(path, {})

    if scope == needs:
        assert answer.status_code in {200, 400}
    else:
        assert answer.status_code == 403
        assert answer.json()["code"] == "scope_missing"
        assert needs in answer.json()["detail"]


def test_a_token_makes_and_revokes_no_tokens(api: ClientFactory, owner: User) -> None:
    client = api(owner, *Scope.values)
    row = ApiToken.objects.get()

    for answer in (
        client.get(URL),
        client.post(URL, {"name": "x", "scopes": ["read"]}),
        client.delete(f"{URL}{row.id}/"),
    ):
        assert answer.status_code == 403
        assert answer.json()["code"] == "session_only"


def test_a_revoked_token_is_refused_at_its_next_call(api: ClientFactory, owner: User) -> None:
    row, secret = make_token(owner)
    client = bearer(secret)
    assert client.get(ME).status_code == 200

    assert api(owner).delete(f"{URL}{row.id}/").status_code == 204

    assert client.get(ME).status_code == 401


def test_tokens_of_others_are_not_there(
    api: ClientFactory, owner: User, outsider: User, admin: User
) -> None:
    row, _ = make_token(owner)

    for user in (outsider, admin):
        assert api(user).get(URL).json()["count"] == 0
        assert api(user).delete(f"{URL}{row.id}/").status_code == 404
    assert ApiToken.objects.exists()


def test_a_token_ends(owner: User) -> None:
    _, secret = make_token(owner, expiry=timedelta(days=1))

    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1)):
        assert bearer(secret).get(ME).status_code == 401
    assert bearer(secret).get(ME).status_code == 200


def test_who_may_not_sign_in_has_no_tokens(owner: User) -> None:
    _, secret = make_token(owner)
    owner.is_active = False
    owner.save()

    assert bearer(secret).get(ME).status_code == 401


def test_a_token_goes_no_further_than_its_user(
    api: ClientFactory, viewer: User, project: Project
) -> None:
    client = api(viewer, *Scope.values)

    assert client.get(f"/api/v1/projects/{project.pk}/").status_code == 200
    assert client.delete(f"/api/v1/projects/{project.pk}/").status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": []},
        {"scopes": ["all"]},
        {"scopes": "read"},
        {"name": ""},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2099-01-01T00:00:00Z"},
        {"expires_at": "soon"},
        {"project": "x"},
        {"user": "x"},
        {"digest": "x"},
    ],
)
def test_a_bad_wish_makes_no_token(api: ClientFactory, owner: User, change: dict[str, Any]) -> None:
    answer = api(owner).post(URL, {"name": "eSales", "scopes": ["read"], **change})

    assert answer.status_code == 400
    assert {error["field"].split(".")[0] for error in answer.json()["errors"]} == set(change)
    assert not ApiToken.objects.exists()


def test_nobody_confines_a_token_to_a_foreign_project(api: ClientFactory, owner: User) -> None:
    foreign = make_project()

    answer = api(owner).post(URL, {"name": "x", "scopes": ["read"], "project": str(foreign.pk)})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "does_not_exist"


def test_the_last_use_is_noted_once_a_minute(owner: User) -> None:
    row, secret = make_token(owner)
    client = bearer(secret)

    with time_machine.travel("2026-11-23 10:00:00+00:00", tick=False) as clock:
        client.get(ME)
        row.refresh_from_db()
        first = row.last_used_at
        clock.shift(59)
        client.get(ME)
        row.refresh_from_db()
        assert row.last_used_at == first
        clock.shift(2)
        client.get(ME)
        row.refresh_from_db()
        assert row.last_used_at == first + timedelta(seconds=61)


def test_looking_a_token_up_takes_one_query_however_many_there_are(owner: User) -> None:
    _, secret = make_token(owner)
    client = bearer(secret)
    client.get(ME)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(ME)
        return len(captured)

    few = queries()
    for _ in range(20):
        make_token(owner)
    assert few == queries() == 1


class TestCommand:
    """`manage.py create_token`."""

    def run(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
        call_command("create_token", *arguments)
        return capsys.readouterr().out

    def test_it_prints_the_token_alone(
        self, capsys: pytest.CaptureFixture[str], owner: User, project: Project
    ) -> None:
        out = self.run(
            capsys, "owner", "--scopes", "read,train", "--project", str(project.pk), "--days", "3"
        )

        assert out.count("\n") == 1
        me = bearer(out.strip()).get(ME).json()
        assert me["token"] == {"scopes": ["read", "train"], "project": str(project.pk)}
        days = (ApiToken.objects.get().expiry - timezone.now()) / timedelta(days=1)
        assert 2.9 < days < 3.1

    @pytest.mark.parametrize(
        "arguments",
        [
            ["nobody", "--scopes", "read"],
            ["owner", "--scopes", "all"],
            ["owner", "--scopes", ""],
            ["owner", "--scopes", "read", "--days", "0"],
            ["owner", "--scopes", "read", "--days", "400"],
            ["owner", "--scopes", "read", "--days", "99999999999"],
            ["owner", "--scopes", "read", "--project", "x"],
            ["owner", "--scopes", "read", "--project", "FOREIGN"],
        ],
    )
    def test_a_bad_wish_makes_no_token(self, owner: User, arguments: list[str]) -> None:
        foreign = str(make_project().pk)
        with pytest.raises(CommandError):
            call_command("create_token", *[a.replace("FOREIGN", foreign) for a in arguments])
        assert not ApiToken.objects.exists()
