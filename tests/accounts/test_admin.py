"""The Django admin: every model listed, and only what a human may write can be written."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import ApiToken, IdempotentAnswer, User
from jobs.models import EndNotice, StreamTicket
from projects.models import Membership, Project
from tests import factories

OURS = ("accounts", "projects", "jobs", "datasets", "training", "detection")
#: Parts of other rows, shown with them.
SHOWN_ELSEWHERE = {
    "imageclass",
    "datasetclass",
    "importevent",
    "runevent",
    "detectionevent",
    "evaluationevent",
    "detectionimage",
    "epochmetrics",
    # Nobody looks at a key.
    "importsecret",
}
#: What only superusers come near, and what they may do with it.
FOR_SUPERUSERS = {
    User: "ac",
    Group: "acd",
    ApiToken: "d",
    IdempotentAnswer: "",
    StreamTicket: "",
    EndNotice: "",
}


def registered() -> list[Any]:
    return sorted(django_admin.site._registry, key=lambda model: model._meta.label)


def url(model: Any, view: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args)


@pytest.fixture
def rows(admin: User) -> dict[str, Any]:
    """One row of each kind that the factories know."""
    project = factories.make_project(admin)
    factories.make_token(admin, project=project)
    Group.objects.create(name="Operators")
    IdempotentAnswer.objects.create(user=admin, key="k", body_sha256="x", status_code=201)
    for make in (
        factories.make_import,
        factories.make_run,
        factories.make_model,
        factories.make_detection,
        factories.make_evaluation,
    ):
        make(project)
    factories.make_worker()
    return {model._meta.label: model._base_manager.first() for model in registered()}


@pytest.fixture
def staff(db: None) -> User:
    """Staff with every right that a group can give."""
    user = factories.make_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


def test_every_model_is_listed() -> None:
    listed = {model._meta.model_name for model in registered()}
    models = [model for app in OURS for model in apps.get_app_config(app).get_models()]

    assert {model._meta.model_name for model in models} - listed - SHOWN_ELSEWHERE == set()


def test_no_library_brings_pages_of_its_own() -> None:
    assert {model._meta.app_label for model in registered()} <= {*OURS, "auth"}


@pytest.mark.parametrize("model", registered(), ids=lambda model: model._meta.label)
class TestEveryModel:
    """List, search, detail and writing, of each."""

    def test_it_is_useful(self, model: Any, rows: dict[str, Any], admin: User) -> None:
        options = django_admin.site._registry[model]
        client = Client()
        client.force_login(admin)

        assert len(options.list_display) > 1
        assert options.search_fields
        assert client.get(url(model, "changelist"), {"q": "x"}).status_code == 200
        if row := rows[model._meta.label]:
            assert client.get(url(model, "change", row.pk)).status_code == 200

    def test_a_superuser_writes_what_a_human_may(
        self, model: Any, rows: dict[str, Any], admin: User
    ) -> None:
        client = Client()
        client.force_login(admin)
        rights = FOR_SUPERUSERS.get(model, "")

        can_add = client.get(url(model, "add")).status_code == 200
        assert can_add == ("a" in rights)
        if row := rows[model._meta.label]:
            page = client.get(url(model, "change", row.pk)).content.decode()
            assert ('name="_save"' in page) == ("c" in rights)
            can_delete = client.get(url(model, "delete", row.pk)).status_code == 200
            assert can_delete == ("d" in rights)

    def test_staff_writes_nothing_and_comes_near_no_account(
        self, model: Any, rows: dict[str, Any], staff: User
    ) -> None:
        client = Client()
        client.force_login(staff)
        row = rows[model._meta.label]

        seen = client.get(url(model, "changelist")).status_code
        assert seen == (403 if model in FOR_SUPERUSERS else 200)
        assert client.post(url(model, "add"), {}).status_code == 403
        if row is not None:
            forged = {"is_superuser": "on", "_save": "Save", "username": "x"}
            assert client.post(url(model, "change", row.pk), forged).status_code == 403
            assert client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403

    @pytest.mark.parametrize("who", ["anonymous", "outsider"])
    def test_others_see_nothing(
        self, model: Any, who: str, rows: dict[str, Any], outsider: User
    ) -> None:
        client = Client()
        if who == "outsider":
            client.force_login(outsider)

        assert client.get(url(model, "changelist")).status_code == 302
        assert client.post(url(model, "add"), {}).status_code == 302


def test_nobody_makes_itself_more_than_it_is(staff: User) -> None:
    client = Client()
    client.force_login(staff)
    forged = {"username": "staff", "is_staff": "on", "is_superuser": "on", "is_active": "on"}

    client.post(url(User, "change", staff.pk), forged)

    staff.refresh_from_db()
    assert not staff.is_superuser


def test_a_list_takes_as_many_queries_for_twenty_as_for_one(admin: User) -> None:
    client = Client()
    client.force_login(admin)
    ContentType.objects.clear_cache()

    def queries(model: Any) -> int:
        client.get(url(model, "changelist"))
        with CaptureQueriesContext(connection) as captured:
            client.get(url(model, "changelist"))
        return len(captured)

    factories.make_token(admin, project=factories.make_project(admin))
    few = {model: queries(model) for model in (Project, Membership, ApiToken, User)}
    for _ in range(20):
        factories.make_token(factories.make_user(), project=factories.make_project())
    assert few == {model: queries(model) for model in few}
