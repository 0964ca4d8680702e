"""Signing in and out, and changing one's password."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from cvtrainer_site.cache import ForgivingRedisCache
from tests.factories import PASSWORD, make_user
from tests.services.valkey import Valkey

LOGIN = "/accounts/login/"
NEW = "an-even-longer-one"
CLOSED = ["signup", "email", "password/reset", "password/set", "confirm-email", "login/code"]


@pytest.fixture
def client(db: None) -> Client:
    return Client(headers={"accept-language": "en"})


@pytest.fixture(autouse=True)
def limits(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is there and empty."""
    monkeypatch.setattr(ForgivingRedisCache, "_away_until", 0.0)


def sign_in(client: Client, login: str, password: str = PASSWORD, **extra: str) -> int:
    body = {"login": login, "password": password}
    return client.post(LOGIN, body, **extra).status_code  # type: ignore[arg-type]


def is_signed_in(client: Client) -> bool:
    return client.get("/api/v1/me/").status_code == 200


@pytest.mark.parametrize("login", ["owner", "owner@example.com", "OWNER@example.com", " owner "])
def test_by_name_or_by_email(client: Client, owner: User, login: str) -> None:
    assert sign_in(client, login) == 302
    assert is_signed_in(client)


@pytest.mark.parametrize("login", ["owner", "owner@example.com", "nobody", "nobody@example.com"])
def test_a_wrong_password(client: Client, owner: User, login: str) -> None:
    assert sign_in(client, login, "wrong") == 200
    assert not is_signed_in(client)


@pytest.mark.parametrize(("known", "unknown"), [("owner", "ownes"), ("owner@x.vn", "ownes@x.vn")])
def test_an_unknown_user_gets_the_same_reply(client: Client, known: str, unknown: str) -> None:
    make_user("owner", email="owner@x.vn")

    pages = [
        Client()
        .post(LOGIN, {"login": login, "password": "wrong"})
        .content.decode()
        .replace(login, "?")
        for login in (known, unknown)
    ]

    def lines(page: str) -> list[str]:
        return [
            line for line in page.splitlines() if "csrf" not in line.lower() and "nonce" not in line
        ]

    assert lines(pages[0]) == lines(pages[1])


def test_an_inactive_user(client: Client) -> None:
    make_user("gone", is_active=False)

    sign_in(client, "gone")

    assert not is_signed_in(client)


@pytest.mark.parametrize("login", ["owner", "nobody"])
def test_tries_are_limited_by_account_and_address(client: Client, owner: User, login: str) -> None:
    assert [sign_in(client, login, "wrong") for _ in range(5)] == [200] * 5

    answer = client.post(LOGIN, {"login": login, "password": PASSWORD})

    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert not is_signed_in(client)
    assert sign_in(Client(REMOTE_ADDR="10.0.0.9"), "owner") == 302
    make_user("other")
    assert sign_in(client, "other") == 302


def test_success_does_not_count(owner: User) -> None:
    assert {sign_in(Client(), "owner") for _ in range(8)} == {302}


def test_a_hundred_tries_get_nowhere(client: Client, owner: User) -> None:
    answers = [sign_in(client, "owner", f"wrong{number}") for number in range(100)]

    assert answers.count(429) == 95


def test_next_leads_nowhere_else(client: Client, owner: User) -> None:
    for url in (
        "//evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/\\evil.example",
    ):
        answer = Client().post(f"{LOGIN}?next={url}", {"login": "owner", "password": PASSWORD})
        assert answer.status_code == 302
        assert "evil" not in answer["Location"] and "javascript" not in answer["Location"]


def test_signing_out_takes_a_post(client: Client, owner: User) -> None:
    client.force_login(owner)

    client.get("/accounts/logout/")
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    assert not is_signed_in(client)


def test_changing_the_password(client: Client, owner: User) -> None:
    client.force_login(owner)
    body = {
        "oldpassword": PASSWORD,
        "password1": "an-even-longer-one",
        "password2": "an-even-longer-one",
    }

    assert client.post("/accounts/password/change/", body).status_code == 302

    assert is_signed_in(client)
    assert sign_in(Client(), "owner") == 200
    assert sign_in(Client(), "owner", NEW) == 302


def test_changing_the_password_ends_other_sessions(client: Client, owner: User) -> None:
    other = Client()
    other.force_login(owner)
    client.force_login(owner)
    body = {
        "oldpassword": PASSWORD,
        "password1": "an-even-longer-one",
        "password2": "an-even-longer-one",
    }

    client.post("/accounts/password/change/", body)

    assert not is_signed_in(other)


def test_a_weak_password_is_refused(client: Client, owner: User) -> None:
    client.force_login(owner)
    body = {"oldpassword": PASSWORD, "password1": "12345", "password2": "12345"}

    assert client.post("/accounts/password/change/", body).status_code == 200
    assert sign_in(Client(), "owner") == 302


@pytest.mark.parametrize(
    "path",
    ["signup/", "email/", "password/reset/", "password/set/", "confirm-email/", "login/code/"],
)
def test_the_rest_of_allauth_is_closed(client: Client, owner: User, path: str) -> None:
    assert client.get(f"/accounts/{path}/").status_code == 404
    client.force_login(owner)
    assert client.get(f"/accounts/{path}/").status_code == 404


def test_the_admin_has_no_sign_in_of_its_own(client: Client, owner: User, admin: User) -> None:
    answer = client.get("/admin/login/?next=/admin/")
    assert answer.status_code == 302
    assert answer["Location"].startswith(LOGIN)
    client.force_login(owner)
    assert client.get("/admin/login/").status_code == 403
    client.force_login(admin)
    assert client.get("/admin/").status_code == 200


class TestCommand:
    """`manage.py create_user`."""

    def test_the_user_may_sign_in(
        self, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "password"
        file.write_text("a-good-password\n")

        call_command("create_user", "lan", "--password-file", str(file), "--staff")

        assert capsys.readouterr().out == "lan\n"
        assert sign_in(client, "lan", "a-good-password") == 302
        user = User.objects.get(username="lan")
        assert (user.is_staff, user.is_superuser) == (True, False)

    @pytest.mark.parametrize(
        ("name", "password"),
        [("owner", "a-good-password"), ("lan", "123"), ("a b", "a-good-password")],
    )
    def test_bad_input_makes_no_user(
        self, owner: User, tmp_path: Path, name: str, password: str
    ) -> None:
        file = tmp_path / "password"
        file.write_text(password)

        with pytest.raises(CommandError):
            call_command("create_user", name, "--password-file", str(file))
        with pytest.raises(CommandError):
            call_command("create_user", "lan", "--password-file", str(tmp_path / "none"))
        assert User.objects.count() == 1
