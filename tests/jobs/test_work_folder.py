"""A folder an attempt: one that was taken over leaves the folder of its successor alone."""

from pathlib import Path

import pytest
from django.conf import LazySettings

from jobs import transitions
from jobs.work_folder import work_folder
from tests.fake_jobs.models import FakeJob


@pytest.fixture(autouse=True)
def base(settings: LazySettings, tmp_path: Path) -> Path:
    settings.WORK_DIR = tmp_path / "work"
    return tmp_path / "work"


def claimed(job: FakeJob) -> FakeJob:
    """Claim a job as a new attempt, after whoever held it before."""
    mine = transitions.claim(FakeJob, job.pk, worker="w")
    assert mine is not None
    return mine


def test_two_attempts_on_one_host_do_not_touch_each_other(job: FakeJob, base: Path) -> None:
    first = claimed(job)
    with work_folder(first) as old:
        (old / "data").touch()
        transitions.take_back(first)
        second = work_folder(claimed(job))
        with second as new:
            (new / "data").touch()
            with pytest.raises(FileNotFoundError):  # nobody owns what the first had made
                (old / "data").stat()
            old.mkdir()  # the first was frozen and does not know yet
            (old / "more").touch()
    assert old != new
    assert list(base.iterdir()) == []


def test_the_end_of_the_old_one_leaves_the_new_one_alone(job: FakeJob) -> None:
    first = claimed(job)
    old = work_folder(first)
    old.__enter__()
    transitions.take_back(first)
    with work_folder(claimed(job)) as new:
        (new / "data").touch()
        old.__exit__(None, None, None)
        assert (new / "data").is_file()


def test_what_the_dead_left_goes_and_what_is_held_stays(job: FakeJob, base: Path) -> None:
    other = claimed(FakeJob.objects.create())
    with work_folder(other) as held:
        left = base / f"fakes-{job.pk}-0"
        left.mkdir()
        (left / "data").touch()
        foreign = base / "trainer"
        foreign.mkdir()
        with work_folder(claimed(job)) as mine:
            assert set(base.iterdir()) == {held, mine, foreign}
        assert set(base.iterdir()) == {held, foreign}
