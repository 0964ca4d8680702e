"""People at the pages: a signed-in Django client each, in English."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User

Visit = Callable[[User | None], Client]


@pytest.fixture
def client_of(db: None) -> Visit:
    """Makes clients: `client_of(user)`, or `client_of(None)` for a stranger."""

    def make(user: Any) -> Client:
        client = Client()
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
        if user is not None:
            client.force_login(user)
        return client

    return make
