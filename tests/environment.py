"""The environment of a throw-away installation: tests never see a real one's data or secrets.

Imported by `tests.settings` before the settings are read. The programs that a test starts (see
`tests.services.programs`) bring the environment of the test with them.
"""

import atexit
import os
import shutil
import tempfile


def _make() -> None:
    home = tempfile.mkdtemp(prefix="cvt-")
    atexit.register(_remove, home, os.getpid())
    for name in [name for name in os.environ if name.startswith("CVTRAINER_")]:
        del os.environ[name]
    for name in ("DATABASE_URL", "REDIS_URL", "STORAGE_URL"):
        os.environ.pop(name, None)
    os.environ["CVTRAINER_HOME"] = home
    os.environ["CVTRAINER_WEIGHTS_URL"] = ""
    os.environ["SECRET_KEY"] = "only-for-tests-" + "x" * 40
    os.environ["FIELD_KEYS"] = "only-for-tests-" + "y" * 40
    # The same tests on PostgreSQL: see tests/jobs/test_on_postgres.py.
    if url := os.environ.get("TEST_DATABASE_URL"):
        os.environ["DATABASE_URL"] = url


def _remove(home: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(home, ignore_errors=True)


if "CVTRAINER_TEST_CHILD" not in os.environ:
    _make()
