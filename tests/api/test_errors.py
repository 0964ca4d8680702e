"""Every error below /api/ is a problem document that tells a person what to do."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.test.utils import override_settings
from rest_framework.test import APIClient

from accounts.models import User
from cvtrainer_site.cache import ForgivingRedisCache
from projects.models import Project
from tests.api.failing_urls import SECRET
from tests.personas import ClientFactory
from tests.services.valkey import Valkey


@pytest.fixture
def client(db: None) -> Client:
    return Client(raise_request_exception=False, headers={"accept-language": "en"})


@pytest.fixture
def failing() -> Iterator[None]:
    with override_settings(ROOT_URLCONF="tests.api.failing_urls"):
        yield


def check(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Return the problem, after checking all that is promised of each."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer.content)
    assert problem.keys() >= {"type", "title", "status", "detail", "code", "errors", "request_id"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"]
    assert problem["detail"].endswith((".", "!"))
    assert SECRET not in answer.content.decode()
    return problem


FAILS = [
    ("user", 409, "last_owner"),
    ("missing", 404, "not_found"),
    ("forbidden", 403, "permission_denied"),
    ("suspicious", 400, "parse_error"),
    ("django-invalid", 400, "invalid"),
    ("throttled", 429, "throttled"),
    ("database", 503, "unavailable"),
    ("redis", 503, "unavailable"),
    ("full", 507, "disk_full"),
    ("bug", 500, "internal"),
]


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize(("how", "status", "code"), FAILS)
@pytest.mark.parametrize("where", ["v1/failing", "outside"])
def test_whatever_is_raised_is_a_problem(
    client: Client, where: str, how: str, status: int, code: str
) -> None:
    check(client.get(f"/api/{where}/{how}/"), status, code)


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("how", ["database", "redis"])
def test_what_comes_back_says_when_to_ask_again(client: Client, how: str) -> None:
    answer = client.post(f"/api/v1/failing/{how}/")

    check(answer, 503, "unavailable")
    assert int(answer["Retry-After"]) > 0


@pytest.mark.usefixtures("failing")
def test_throttling_names_the_time(client: Client) -> None:
    assert client.get("/api/v1/failing/throttled/")["Retry-After"] == "42"


@pytest.mark.usefixtures("failing")
def test_nested_fields_are_named_by_their_path(client: Client) -> None:
    problem = check(client.get("/api/v1/failing/nested/"), 400, "invalid")

    assert problem["detail"] == "All wrong."
    assert problem["errors"] == [
        {"field": "boxes.1.x1", "code": "invalid", "detail": "Too small."},
        {"field": "", "code": "invalid", "detail": "All wrong."},
    ]


@pytest.mark.usefixtures("failing")
def test_an_incident_is_found_in_the_log_by_its_number(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    problem = check(client.get("/api/v1/failing/bug/"), 500, "internal")

    assert problem["request_id"] in problem["detail"]
    assert any(
        problem["request_id"] in record.getMessage() and record.exc_info
        for record in caplog.records
    )


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nothing/", "/api/v2/projects/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_address_is_a_problem(client: Client, path: str, method: str) -> None:
    check(getattr(client, method)(path), 404, "not_found")


def test_a_slash_that_is_missing(api: ClientFactory, owner: User) -> None:
    client = api(owner)

    assert client.get("/api/v1/projects")["Location"] == "/api/v1/projects/"
    for method in ("post", "patch", "put", "delete"):
        problem = check(getattr(client, method)("/api/v1/projects", {}), 404, "not_found")
        assert problem["detail"].endswith("it ends with a slash.")


def test_elsewhere_it_is_a_page(client: Client) -> None:
    answer = client.get("/nothing/")

    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_nobody_is_asked_to_sign_in(client: Client) -> None:
    answer = client.get("/api/v1/projects/")

    check(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("secret", ["x", "cvt_" + "0" * 64, "\u00ff\u00fe", "a b"])
def test_a_token_that_is_none(client: Client, secret: str) -> None:
    headers = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    answer = client.get("/api/v1/projects/", **headers)  # type: ignore[arg-type]

    check(answer, 401, "authentication_failed")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_method_that_is_not_taken(api: ClientFactory, owner: User) -> None:
    answer = api(owner).put("/api/v1/projects/")

    check(answer, 405, "method_not_allowed")
    assert set(answer["Allow"].split(", ")) >= {"GET", "POST"}


def test_a_body_of_another_type(api: ClientFactory, owner: User) -> None:
    answer = api(owner).post("/api/v1/projects/", "name: x", content_type="application/yaml")

    check(answer, 415, "unsupported_media_type")


def test_an_answer_in_another_type(api: ClientFactory, owner: User) -> None:
    answer = api(owner).get("/api/v1/projects/", headers={"accept": "text/html"})

    check(answer, 406, "not_acceptable")


@pytest.mark.parametrize("body", ["{", "", "\x00", '{"name": NaN}', "[" * 100_000])
def test_a_body_that_is_no_json(api: ClientFactory, owner: User, body: str) -> None:
    answer = api(owner).post("/api/v1/projects/", body, content_type="application/json")

    assert answer.status_code == 400
    assert not Project.objects.exists()


@pytest.mark.parametrize("body", ["[]", "3", '"x"', "null"])
def test_json_that_is_no_object(api: ClientFactory, owner: User, body: str) -> None:
    answer = api(owner).post("/api/v1/projects/", body, content_type="application/json")

    check(answer, 400, "invalid")


def test_a_body_that_is_too_large(api: ClientFactory, owner: User) -> None:
    answer = api(owner).post("/api/v1/projects/", {"name": "x", "description": "x" * 6_000_000})

    check(answer, 413, "too_large")


def test_a_host_that_is_not_ours(client: Client) -> None:
    check(client.get("/api/v1/projects/", headers={"host": "evil.example"}), 400, "parse_error")


def test_a_field_is_named_with_its_code(api: ClientFactory, owner: User) -> None:
    problem = check(api(owner).post("/api/v1/projects/", {"nmae": "x"}), 400, "invalid")

    assert problem["detail"] == "Correct these fields and send the request again: nmae."
    assert problem["errors"] == [
        {"field": "nmae", "code": "unknown", "detail": "There is no such field."}
    ]


def test_an_order_that_is_not_on_the_list(api: ClientFactory, owner: User) -> None:
    for field in ("memberships__user__password", "-created_by", "id"):
        problem = check(api(owner).get("/api/v1/projects/", {"ordering": field}), 400, "invalid")
        assert problem["errors"][0]["code"] == "invalid_choice"


@pytest.mark.parametrize("page", ["0", "2", "x", "-1"])
def test_a_page_that_is_not_there(api: ClientFactory, owner: User, page: str) -> None:
    check(api(owner).get("/api/v1/projects/", {"page": page}), 404, "not_found")


def test_the_language_is_the_clients(owner: User, project: Project) -> None:
    client = APIClient()
    client.force_login(owner)
    url = f"/api/v1/projects/{project.pk}/members/{owner.pk}/"

    def detail(**headers: str) -> str:
        answer = client.delete(url, headers=headers)
        assert answer.headers["Content-Language"] in {"vi", "en"}
        return str(answer.headers["Content-Language"])

    assert detail() == "vi"
    assert detail(**{"accept-language": "en-US,en;q=0.9"}) == "en"
    assert detail(**{"accept-language": "fr, vi;q=0.5, en;q=0.3"}) == "vi"
    assert detail(**{"accept-language": "fr"}) == "vi"


def test_too_many_requests_are_held_back(
    api: ClientFactory,
    owner: User,
    valkey: Valkey,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ForgivingRedisCache, "_away_until", 0.0)
    settings.API_REQUESTS_PER_MINUTE = 3
    client = api(owner)

    with time_machine.travel("2026-11-23 10:00:20+00:00", tick=False):
        answers = [client.get("/api/v1/me/") for _ in range(5)]
    with time_machine.travel("2026-11-23 10:01:01+00:00", tick=False):
        later = client.get("/api/v1/me/")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    check(answers[-1], 429, "throttled")
    assert answers[-1]["Retry-After"] == "40"
    assert later.status_code == 200


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer guessed"}])
def test_strangers_are_held_back_and_nobody_with_them(
    api: ClientFactory,
    owner: User,
    valkey: Valkey,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
) -> None:
    monkeypatch.setattr(ForgivingRedisCache, "_away_until", 0.0)
    valkey.client().flushall()
    settings.API_STRANGERS_PER_MINUTE = 2

    with time_machine.travel("2026-11-23 10:00:20+00:00", tick=False):
        answers = [
            APIClient().get("/api/v1/me/", headers={**headers, "x-forwarded-for": str(number)})
            for number in range(4)
        ]
        known = api(owner).get("/api/v1/me/")

    assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
    check(answers[-1], 429, "throttled")
    assert answers[-1]["Retry-After"] == "40"
    assert known.status_code == 200


def test_nobody_waits_for_a_redis_that_hangs(
    api: ClientFactory, owner: User, valkey: Valkey
) -> None:
    client = api(owner)
    valkey.freeze()
    try:
        began = time.monotonic()
        answers = [client.get("/api/v1/me/") for _ in range(10)]
    finally:
        valkey.thaw()

    assert {answer.status_code for answer in answers} == {200}
    assert time.monotonic() - began < 3
