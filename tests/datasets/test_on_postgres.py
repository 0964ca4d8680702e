"""What stands on the database's locks and transactions, once more on PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.postgres import Postgres

_TESTS = Path(__file__).parent.parent
#: What writes in several transactions, in bulk, or over what is there already.
_FILES = [
    *(f"datasets/test_{name}.py" for name in ("races", "import_faults", "api", "resplit")),
    *(f"datasets/test_{name}.py" for name in ("reviewing", "versions", "selection", "exports")),
    *(f"datasets/test_{name}.py" for name in ("tus", "tus_import", "import_split")),
    *(f"custom_vision/test_{name}.py" for name in ("import", "api", "remote_pictures")),
    # The others end before anything is written.
    *(f"custom_vision/test_faults.py::Test{name}" for name in ("Labels", "Listing", "Baselines")),
    "custom_vision/test_faults.py::TestMovingListing",
]


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(900)
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="this is that run")
def test_the_same_on_postgres(postgres: Postgres) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CVTRAINER_")
    }
    environment["TEST_DATABASE_URL"] = postgres.create_database()
    files = [str(_TESTS / name) for name in _FILES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "--durations=5", "-p", "no:cacheprovider", *files],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
