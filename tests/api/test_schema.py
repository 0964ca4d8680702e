"""The OpenAPI document: valid, without warnings, and no change of it goes unseen.

Where a change is meant, write the snapshot anew and look at its diff:

    python -m tests.api.write_schema
"""

import json

import pytest
from drf_spectacular.validation import validate_schema

from accounts.models import User
from tests.api.write_schema import PATH, document
from tests.personas import ClientFactory


@pytest.fixture(scope="module")
def schema() -> dict:
    return document()


def test_it_is_drawn_without_warnings_and_valid(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats

    reset_generator_stats()
    validate_schema(document())

    assert not GENERATOR_STATS, capsys.readouterr().err


def test_it_is_as_agreed(schema: dict) -> None:
    assert schema == json.loads(PATH.read_text(encoding="utf-8")), (
        "The API has changed. If that is meant: python -m tests.api.write_schema"
    )


def test_every_operation_names_its_errors_and_its_key(schema: dict) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            problem = operation["responses"]["default"]["content"]
            assert problem.keys() == {"application/problem+json"}, (path, method)
            assert operation["security"] == [{"token": []}, {"cookieAuth": []}]


@pytest.mark.parametrize(
    "path",
    [
        "projects",
        "tokens",
        "projects/{project_id}/members",
        "imports",
        "training-runs",
        "training-runs/{id}/repeat",
        "detections",
        "evaluations",
        "dataset-versions/{id}/resplit",
    ],
)
def test_what_makes_something_heeds_the_idempotency_key(schema: dict, path: str) -> None:
    operation = schema["paths"][f"/api/v1/{path}/"]["post"]

    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    assert "Idempotency-Key" in names


def test_the_running_server_gives_it(api: ClientFactory, viewer: User, schema: dict) -> None:
    answer = api(viewer, "detect").get("/api/v1/schema/")

    assert answer.status_code == 200
    assert answer.json()["paths"].keys() == schema["paths"].keys()


def test_the_page_takes_nothing_from_elsewhere(api: ClientFactory, viewer: User) -> None:
    client = api(viewer)
    page = client.get("/api/docs/").content.decode()
    script = client.get("/api/docs/?script=")

    assert "http://" not in page and "https://" not in page
    assert "<style" not in page and page.count("<script src=") == page.count("<script")
    assert script["Content-Type"] == "application/javascript"
    assert "/api/v1/schema/" in script.content.decode()
