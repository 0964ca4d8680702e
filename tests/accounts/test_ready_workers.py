"""`/readyz` sees real workers, also after Redis came back empty."""

import time
from collections.abc import Callable

import pytest

from cvtrainer_site.health import workers_alive
from tests.services.programs import Programs
from tests.services.valkey import Valkey


def eventually(check: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_a_worker_is_seen_while_it_lives(programs: Programs, valkey: Valkey) -> None:
    worker = programs.worker("imports")
    eventually(lambda: workers_alive("imports") == 1)

    valkey.restart_empty()
    eventually(lambda: workers_alive("imports") == 1)

    worker.terminate()
    worker.wait()
    eventually(lambda: workers_alive("imports") == 0)
