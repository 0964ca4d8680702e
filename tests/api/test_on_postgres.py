"""What stands on the database's locks, once more on PostgreSQL."""

import os
import subprocess
import sys

import pytest

from tests.services.postgres import Postgres

TESTS = [
    "tests/api/test_idempotency.py",
    "tests/projects/test_members_race.py",
    "tests/training/test_queue_order.py",
]


@pytest.mark.postgres
def test_the_same_on_postgres(postgres: Postgres) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CVTRAINER_")
    }
    environment["TEST_DATABASE_URL"] = postgres.create_database()

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--durations=0", "-p", "no:cacheprovider", *TESTS],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:]
