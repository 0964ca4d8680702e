"""Who a worker is, whether it is seen to be dead, and what becomes of the jobs that it held."""

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from jobs import identity, transitions
from jobs.identity import is_dead, worker_name
from jobs.reconcile import take_back_from_the_dead
from jobs.states import Status
from tests.fake_jobs.models import FakeJob
from tests.jobs.conftest import assert_story_is_whole

_SPACE = identity._our_space


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """A process beside us."""
    running = subprocess.Popen(["sleep", "60"])
    yield running
    running.kill()
    running.wait()


def named(pid: int, *, host: str = "", space: str = _SPACE) -> str:
    return f"{host or socket.gethostname()}.{pid}.{space}abcdef"


def test_our_own_name_is_of_a_living_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CVTRAINER_WORKER", raising=False)
    assert worker_name().startswith(f"{socket.gethostname()}.{os.getpid()}.{_SPACE}")
    assert not is_dead(worker_name())


def test_one_that_had_our_process_id_before_us_is_dead() -> None:
    assert is_dead(named(os.getpid()))


def test_a_process_is_dead_once_it_is_killed_even_if_nobody_has_collected_it(
    process: "subprocess.Popen[bytes]",
) -> None:
    name = named(process.pid)
    assert not is_dead(name)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(name)
    process.wait()
    assert is_dead(name)


@pytest.mark.parametrize("name", ["", "test", "w1", "a.b", "host.pid.token"])
def test_of_other_names_nobody_can_say(name: str) -> None:
    assert not is_dead(name)


def test_of_others_processes_nobody_here_can_say(
    process: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    process.kill()
    process.wait()
    assert is_dead(named(process.pid))
    assert not is_dead(named(process.pid, host="elsewhere.example"))
    # A machine or a container of the same name, or this one before its last start.
    assert not is_dead(named(process.pid, space="0" * len(_SPACE)))
    monkeypatch.setattr(identity, "_our_space", "")
    assert not is_dead(named(process.pid, space=""))


def test_what_a_dead_worker_held_is_taken_back_at_once_and_nothing_else(
    transactional_db: None, process: "subprocess.Popen[bytes]"
) -> None:
    dead, elsewhere = named(process.pid), named(process.pid, host="elsewhere")
    names = [dead, dead, dead, elsewhere, worker_name()]
    mine, unwanted, poison, theirs, ours = (
        transitions.claim(FakeJob, FakeJob.objects.create().pk, worker=name) for name in names
    )
    FakeJob.objects.filter(pk=poison.pk).update(losses=FakeJob.max_losses - 1)
    transitions.request_cancel(unwanted)
    assert take_back_from_the_dead() == 0
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not collected yet

    assert take_back_from_the_dead() == 3

    wanted = {
        mine: (Status.QUEUED, 1),
        unwanted: (Status.CANCELED, 0),
        poison: (Status.FAILED, 3),
        theirs: (Status.RUNNING, 0),
        ours: (Status.RUNNING, 0),
    }
    for job, now in wanted.items():
        job.refresh_from_db()
        assert (job.status, job.losses) == now
        assert_story_is_whole(job)
