"""No body, filter or field leads from one project into another."""

from typing import Any

import pytest
from django.apps import apps
from django.db import transaction

from accounts.models import User
from projects.models import Project
from tests import factories
from tests.api.access_rules import API, BODIES, OK
from tests.api.routes import fill
from tests.api.world import world  # noqa: F401
from tests.personas import ClientFactory

NAMED = [
    (route, name)
    for (_, route), body in BODIES.items()
    for name, value in body.items()
    if isinstance(value, str) and value.startswith("{")
]
LISTS = [
    route
    for route, rules in API.items()
    if "GET" in rules and "<" not in route and route.count("/") == 3
    # What is for staff alone is nothing to an owner; presets are no list of rows.
    if rules["GET"][-1] == OK and "presets" not in route
]


@pytest.fixture
def elsewhere(editor: User) -> dict[str, Any]:
    """Rows of another project, by the names of the world."""
    project = factories.make_project()
    version = factories.make_version(factories.make_dataset(project))
    model = factories.make_model(project)
    return {"projects": project.pk, "dataset-versions": version.pk, "models": model.pk}


def body_of(route: str, rows: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.format(**rows) if isinstance(value, str) else value
        for name, value in BODIES["POST", route].items()
    }


@pytest.mark.parametrize("is_member", [False, True], ids=["stranger", "member of both"])
@pytest.mark.parametrize(("route", "name"), NAMED)
def test_a_row_of_another_project_does_not_exist(
    api: ClientFactory,
    editor: User,
    world: dict[str, Any],  # noqa: F811
    elsewhere: dict[str, Any],
    route: str,
    name: str,
    is_member: bool,
) -> None:
    if is_member:
        factories.make_member(Project.objects.get(pk=elsewhere["projects"]), editor)
    body = {**body_of(route, world), name: body_of(route, elsewhere)[name]}

    answer = api(editor).post(f"/{route}", body)

    if is_member and len([key for at, key in NAMED if at == route]) == 1:
        assert answer.status_code != 404  # nothing else ties the request to a project
        return
    assert answer.status_code == 400
    assert "does_not_exist" in {error["code"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(("route", "name"), NAMED)
def test_an_id_that_is_none_is_a_400(
    api: ClientFactory,
    editor: User,
    world: dict[str, Any],  # noqa: F811
    route: str,
    name: str,
) -> None:
    for value in ("x", 3, ["a"], {"a": 1}, "\x00", "00000000-0000-4000-8000-000000000000"):
        answer = api(editor).post(f"/{route}", {**body_of(route, world), name: value})
        assert answer.status_code == 400, value


@pytest.mark.parametrize("route", LISTS)
def test_a_filter_follows_no_relation(
    api: ClientFactory,
    owner: User,
    world: dict[str, Any],  # noqa: F811
    route: str,
) -> None:
    client = api(owner)
    plain = client.get(f"/{route}").json()

    for name in (
        "project__created_by__password__startswith",
        "created_by__password__startswith",
        "user__username",
        "project__name__contains",
        "id__in",
        "pk",
    ):
        answer = client.get(f"/{route}", {name: "zzz"})
        assert answer.status_code == 400 or answer.json() == plain, name


@pytest.mark.parametrize("route", [route for route in LISTS if "projects" not in route])
def test_a_filter_tells_nothing_of_what_may_not_be_seen(
    api: ClientFactory,
    owner: User,
    world: dict[str, Any],  # noqa: F811
    elsewhere: dict[str, Any],
    route: str,
) -> None:
    client = api(owner)
    nowhere = "00000000-0000-4000-8000-000000000000"

    for name, key in (("project", "projects"), ("dataset", "datasets"), ("model", "models")):
        real = client.get(f"/{route}", {name: elsewhere.get(key, nowhere)})
        none = client.get(f"/{route}", {name: nowhere})
        assert real.status_code == none.status_code
        assert real.json() == none.json()


#: A piece of a file is no set of fields.
CHANGED_BY_FIELDS = [
    route for route, rules in API.items() if "PATCH" in rules and "uploads" not in route
]


@pytest.mark.parametrize("route", CHANGED_BY_FIELDS)
def test_only_what_is_meant_to_change_changes(
    api: ClientFactory,
    owner: User,
    world: dict[str, Any],  # noqa: F811
    elsewhere: dict[str, Any],
    route: str,
) -> None:
    client = api(owner)
    url = fill(route, world)
    ours = ("projects", "datasets", "training")
    names = {
        field.name
        for app in ours
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.fields
    }
    writable = {"name", "description", "stage", "role"}

    for name in sorted(names - writable):
        before = rows(world)
        with transaction.atomic():
            answer = client.patch(url, {name: str(elsewhere["projects"])})
        assert answer.status_code in {200, 400}, name
        assert rows(world) == before, name


def rows(ids: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that a PATCH may change."""
    wanted = {
        "projects.Project": "projects",
        "datasets.Dataset": "datasets",
        "training.TrainedModel": "models",
    }
    found = [
        apps.get_model(label).objects.filter(pk=ids[key]).values().get()
        for label, key in wanted.items()
    ]
    members = Project.objects.get(pk=ids["projects"]).memberships
    return [*found, *members.order_by("pk").values()]
