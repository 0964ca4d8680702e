"""The fixtures `valkey`, `postgres` and `programs`."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.services.postgres import Postgres, Unavailable
from tests.services.programs import Programs
from tests.services.valkey import Valkey


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    """One Valkey for the whole session, where the settings look for it."""
    from django.conf import settings

    server = Valkey(
        socket=Path(urlsplit(settings.REDIS_URL).path), folder=Path(settings.HOME) / "valkey"
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey(valkey_server: Valkey) -> Iterator[Valkey]:
    """The session's Valkey, up and empty; the test may kill or freeze it."""
    valkey_server.ensure()
    with valkey_server.client() as client:
        client.flushall()
    yield valkey_server
    valkey_server.ensure()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for the whole session."""
    try:
        server = Postgres()
        server.start()
    except Unavailable as reason:
        pytest.skip(f"PostgreSQL cannot run here: {reason}")
    yield server
    server.stop()


@pytest.fixture
def programs(transactional_db: None, valkey: Valkey) -> Iterator[Programs]:
    """The portal's own programs on the test's database and Valkey, with short leases."""
    started = Programs(redis_url=valkey.url, CVTRAINER_LEASE_SECONDS="2")
    yield started
    started.end()
