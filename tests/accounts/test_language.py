"""Pages speak the language that a person chose, and Vietnamese until then."""

import pytest
from django.test import Client

from accounts.models import User


def spoken(client: Client, **headers: str) -> str:
    return str(client.get("/accounts/login/", headers=headers)["Content-Language"])


@pytest.fixture
def client(db: None) -> Client:
    return Client()


def test_vietnamese_whatever_the_browser_wishes(client: Client) -> None:
    assert spoken(client) == "vi"
    assert spoken(client, **{"accept-language": "en-US,en"}) == "vi"


def test_the_device_remembers(client: Client) -> None:
    client.post("/account/language/", {"language": "en"})

    assert spoken(client) == "en"


def test_the_user_takes_it_to_other_devices(client: Client, owner: User) -> None:
    client.force_login(owner)
    client.post("/account/language/", {"language": "en"})
    owner.refresh_from_db()
    other = Client()
    other.force_login(owner)

    assert owner.language == "en"
    assert other.get("/")["Content-Language"] == "en"


def test_the_users_choice_goes_before_the_devices(client: Client, owner: User) -> None:
    owner.language = "vi"
    owner.save()
    client.force_login(owner)
    client.cookies["django_language"] = "en"

    assert client.get("/")["Content-Language"] == "vi"


@pytest.mark.parametrize("code", ["", "xx", "../etc", "vi\x00"])
def test_an_unknown_language_changes_nothing(client: Client, owner: User, code: str) -> None:
    client.force_login(owner)
    client.post("/account/language/", {"language": code})
    client.cookies["django_language"] = code
    owner.refresh_from_db()

    assert owner.language == ""
    assert client.get("/")["Content-Language"] == "vi"
