"""The kernel's tests once more, on a PostgreSQL that they may stop and start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.postgres import Postgres

_HERE = Path(__file__).parent
_TESTS = [
    *("transitions", "pause", "cancel_races", "reporter", "work", "workers", "database", "chaos"),
    *("redis", "doorbell", "sockets", "identity", "clock"),
]


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(1500)
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="this is that run")
def test_the_kernel_on_postgres(postgres: Postgres, capsys):
    """Everything that waits for rows, or for news of them."""
    environment = {
        **os.environ,
        "TEST_DATABASE_URL": postgres.create_database(),
        "TEST_POSTGRES_BASE": str(postgres.base),
    }
    files = [str(_HERE / f"test_{name}.py") for name in _TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "--durations=5", "-p", "no:cacheprovider", *files],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    with capsys.disabled():
        print("".join(f"\n{line}" for line in done.stdout.splitlines() if "chaos on" in line))
    assert done.returncode == 0, done.stdout[-6000:]
