"""The pages about oneself."""

import re

from django.urls import reverse

from accounts.models import ApiToken, User
from tests.factories import make_project, make_token
from tests.pages.conftest import Visit

LANGUAGE = "/account/language/"


def test_the_language_leads_back_to_the_page_but_to_no_other_site(
    client_of: Visit, owner: User
) -> None:
    client = client_of(owner)
    own = client.post(LANGUAGE, {"language": "en", "next": "/account/?x=1"})
    assert own["Location"] == "/account/?x=1"
    for foreign in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        assert client.post(LANGUAGE, {"language": "en", "next": foreign})["Location"] == "/"


def test_an_unknown_language_changes_nothing(client_of: Visit, owner: User) -> None:
    answer = client_of(owner).post(LANGUAGE, {"language": "xx", "next": "/"})
    owner.refresh_from_db()
    assert (answer.status_code, owner.language, answer.cookies.keys()) == (302, "", set())


def test_a_token_works_and_is_stored_as_a_digest_only(client_of: Visit, owner: User) -> None:
    body = {"name": "eSales", "scopes": ["read"], "project": "", "days": "30"}
    page = client_of(owner).post(reverse("accounts:token_list"), body).content.decode()
    found = re.search(r'id="secret"[^>]*>([^<]+)<', page)
    assert found
    secret = found.group(1).strip()
    answer = client_of(None).get("/api/v1/me/", headers={"authorization": f"Bearer {secret}"})
    assert answer.json()["username"] == "owner"
    assert secret not in str(ApiToken.objects.values().get())


def test_a_token_needs_a_scope_and_an_own_project(client_of: Visit, owner: User) -> None:
    foreign = make_project()
    body = {"name": "x", "scopes": [], "project": str(foreign.pk), "days": "30"}
    page = client_of(owner).post(reverse("accounts:token_list"), body)
    assert set(page.context["form"].errors) == {"scopes", "project"}
    assert not ApiToken.objects.exists()


def test_only_ones_own_token_can_be_revoked(client_of: Visit, owner: User, outsider: User) -> None:
    token, _ = make_token(owner)
    url = reverse("accounts:token_revoke", args=[token.id])
    assert client_of(outsider).post(url).status_code == 404
    assert client_of(owner).post(url).status_code == 302
    assert not ApiToken.objects.exists()
