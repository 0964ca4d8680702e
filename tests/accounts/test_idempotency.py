"""What an idempotent POST does before its transaction; what it does in it: tests/api."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.models import IdempotentAnswer, User
from jobs.errors import UserError
from tests.personas import ClientFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls(__name__),
]

URL = "/api/v1/prepared/"
KEY = {"idempotency-key": "order-1"}
#: What happened, in its order, and whether a transaction was open then.
story: list[tuple[str, bool]] = []


def note(what: str) -> None:
    story.append((what, connection.in_atomic_block))


class PreparedView(APIView):
    """Prepares, makes, tidies up; fails where the body says so."""

    @contextmanager
    def _prepared(self, request: Request) -> Iterator[str]:
        note("prepare")
        if request.data.get("fail") == "first":
            raise UserError("not_active")
        try:
            yield "prepared"
        except UserError:
            note("undo")
            raise
        note("end")

    @idempotent(prepare=_prepared)
    def post(self, request: Request, prepared: str) -> Response:
        """Make it of what was prepared."""
        note("make")
        if request.data.get("fail") == "later":
            raise UserError("not_active")
        return Response({"made_of": prepared}, status=201)


urlpatterns = [path("api/v1/prepared/", PreparedView.as_view())]


@pytest.fixture(autouse=True)
def clean_story() -> None:
    story.clear()


def send(api: ClientFactory, user: User, body: dict[str, Any] | None = None) -> Any:
    return api(user).post(URL, body or {}, headers=KEY)


def test_only_making_is_in_the_transaction(api: ClientFactory, owner: User) -> None:
    answer = send(api, owner)
    assert (answer.status_code, answer.json()) == (201, {"made_of": "prepared"})
    assert story == [("prepare", False), ("make", True), ("end", False)]


def test_without_a_key_it_is_the_same(api: ClientFactory, owner: User) -> None:
    assert api(owner).post(URL, {}).json() == {"made_of": "prepared"}
    assert story == [("prepare", False), ("make", False), ("end", False)]


def test_what_was_answered_is_not_prepared_again(api: ClientFactory, owner: User) -> None:
    first = send(api, owner)
    story.clear()
    again = send(api, owner)
    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert send(api, owner, {"other": "body"}).status_code == 422
    assert story == []


def test_who_comes_too_late_prepares_for_nothing(
    api: ClientFactory, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both prepare, one makes."""
    send(api, owner)
    story.clear()
    monkeypatch.setattr("accounts.idempotency._Key.known_answer", lambda _: None)
    assert send(api, owner)["Idempotency-Replayed"] == "true"
    assert [what for what, _ in story] == ["prepare", "end"]


@pytest.mark.parametrize(
    ("fail", "happened"), [("first", ["prepare"]), ("later", ["prepare", "make", "undo"])]
)
def test_an_error_undoes_what_was_prepared_and_frees_the_key(
    api: ClientFactory, owner: User, fail: str, happened: list[str]
) -> None:
    assert send(api, owner, {"fail": fail}).status_code == 409
    assert [what for what, _ in story] == happened
    assert not IdempotentAnswer.objects.exists()
