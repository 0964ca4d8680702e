"""What an attempt commits, on a PostgreSQL that is crashed and started under it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.postgres import Postgres


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(600)
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="this is that run")
def test_the_same_on_postgres(postgres: Postgres) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CVTRAINER_")
    }
    environment["TEST_DATABASE_URL"] = postgres.create_database()
    environment["TEST_POSTGRES_BASE"] = str(postgres.base)
    file = Path(__file__).with_name("test_outages.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(file), "-k", "not S3"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "skipped" not in done.stdout, done.stdout[-6000:]
