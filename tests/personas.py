"""Who is who in the tests: one project, and everybody's part in it."""

from typing import Any, Protocol

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from projects.models import Project, Role
from tests.factories import make_member, make_project, make_token, make_user


@pytest.fixture
def owner(db: None) -> User:
    """May do all in `project`."""
    return make_user("owner")


@pytest.fixture
def project(owner: User) -> Project:
    """The project that the personas belong to."""
    return make_project(owner, name="Shelves")


@pytest.fixture
def editor(project: Project) -> User:
    """May import, train, detect and publish in `project`."""
    return make_member(project, make_user("editor"), Role.EDITOR).user


@pytest.fixture
def viewer(project: Project) -> User:
    """May see, download and detect in `project`."""
    return make_member(project, make_user("viewer"), Role.VIEWER).user


@pytest.fixture
def outsider(db: None) -> User:
    """Has nothing to do with `project`."""
    return make_user("outsider")


@pytest.fixture
def admin(db: None) -> User:
    """May do all everywhere, the Django admin too."""
    return make_user("admin", is_staff=True, is_superuser=True)


class ClientFactory(Protocol):
    """`api(user)` for a session, `api(user, "read", "train", project=…)` for a token."""

    def __call__(self, user: User | None = None, *scopes: str, **token: Any) -> APIClient: ...


@pytest.fixture
def api(db: None) -> ClientFactory:
    """Makes clients of the API: JSON, English errors."""

    def make(user: User | None = None, *scopes: str, **token: Any) -> APIClient:
        client = APIClient(headers={"accept-language": "en"})
        if user is not None and (scopes or token):
            _, secret = make_token(user, *scopes, **token)
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        elif user is not None:
            client.force_login(user)
        return client

    return make
