"""However `manage.py up` ends, no process is left; the next start is quick and keeps everything."""

import signal
from pathlib import Path

import pytest

from tests.ops.portal import Portal, living, that_use, wait_for

#: The contract's 15 seconds for a second `make up`, on two cores that do nothing else; the tests'
#: machine does, so processor time is what is compared.
_SECOND_START_CPU_SECONDS = 2 * 15.0


@pytest.fixture(scope="module")
def used_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all starts here: the first makes it, the others find it as it was left."""
    return tmp_path_factory.mktemp("ends")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(used_home: Path, number: int) -> None:
    portal = Portal(used_home)
    try:
        portal.wait_until_ready()
        family = portal.tree()
        assert len(family) >= 6
        assert portal.end(number, seconds=45) == 0
        assert living(family) == []
        assert that_use(used_home) == []
    finally:
        portal.kill_everything()


def test_the_death_of_the_supervisor_takes_all_with_it(used_home: Path) -> None:
    portal = Portal(used_home)
    try:
        portal.wait_until_ready()
        # The training worker keeps a trainer warm: a grandchild in a session of its own.
        wait_for(lambda: len(portal.tree()) > 6, seconds=30)
        family = portal.tree()
        portal.end(signal.SIGKILL)
        wait_for(lambda: living(family) == [] and that_use(used_home) == [], seconds=5)
    finally:
        portal.kill_everything()


def test_starts_again_quickly_and_does_not_tell_the_password_twice(used_home: Path) -> None:
    portal = Portal(used_home)
    try:
        portal.wait_until_ready()
        assert portal.cpu_seconds() < _SECOND_START_CPU_SECONDS
        assert portal.end() == 0
        assert portal.said == [f"CVTrainer is ready at http://127.0.0.1:{portal.port}\n"]
    finally:
        portal.kill_everything()


def test_ends_while_it_is_still_starting(tmp_path: Path) -> None:
    portal = Portal(tmp_path)
    try:
        wait_for((tmp_path / "valkey").exists, seconds=60)
        assert portal.end(signal.SIGINT, seconds=45) == 0
        assert that_use(tmp_path) == []
    finally:
        portal.kill_everything()
