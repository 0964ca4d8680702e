"""The fixtures `valkey`, `postgres`, `programs`, `s3_storage`, `disk`, and what they stand on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.services import power, s3
from tests.services.postgres import Postgres, Unavailable
from tests.services.programs import Programs, Zygote, make_environment
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
    """One PostgreSQL server for the whole session, or that of the session which started us."""
    if base := os.environ.get("TEST_POSTGRES_BASE"):
        yield Postgres(Path(base))
        return
    try:
        server = Postgres()
        server.start()
    except Unavailable as reason:
        pytest.skip(f"PostgreSQL cannot run here: {reason}")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def zygote(
    django_db_setup: None, django_db_blocker: Any, valkey_server: Valkey
) -> Iterator[Zygote]:
    """The process from which the portal's own programs are forked, with leases of 2 seconds."""
    with django_db_blocker.unblock():
        environment = make_environment(valkey_server.url, CVTRAINER_LEASE_SECONDS="2")
    process = Zygote(environment)
    yield process
    process.end()


@pytest.fixture
def programs(transactional_db: None, valkey: Valkey, zygote: Zygote) -> Iterator[Programs]:
    """The portal's own programs (worker, reconciler) on the test's database and Valkey."""
    started = Programs(zygote)
    yield started
    started.end()


@pytest.fixture
def on_postgres(request: pytest.FixtureRequest) -> Postgres:
    """The server under this very session; see tests/jobs/test_on_postgres.py."""
    if "TEST_POSTGRES_BASE" not in os.environ:
        pytest.skip("runs on PostgreSQL only: see test_on_postgres.py")
    server: Postgres = request.getfixturevalue("postgres")
    return server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    """One S3 server for the whole session; a test that stops it starts it again."""
    try:
        server = s3.S3Server(tmp_path_factory.mktemp("s3"))
    except s3.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def s3_storage(s3_server: s3.S3Server) -> Any:
    """A bucket, reached as the settings would; what earlier tests stored is still there."""
    storage = s3_server.reach()
    storage.connection.create_bucket(Bucket=s3.BUCKET)
    return storage


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[power.Disk]:
    """A disk of its own, which may lose its power."""
    try:
        made = power.Disk(tmp_path)
    except power.Unavailable as reason:
        pytest.skip(str(reason))
    yield made
    made.end()
