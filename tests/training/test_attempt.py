"""The parts of one attempt, without a trainer: outages, the queue, progress, what is kept."""

import errno
import logging
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from jobs import runner, transitions
from jobs.errors import CancelRequested, Interrupted, UserError
from jobs.reporter import Reporter
from jobs.states import Status
from projects.models import Project
from tests import factories
from tests.training.told import BYTES, claimed, epoch_message
from training import checkpoints, epochs, leftovers, results, storing, supervisor, tasks
from training.checkpoints import file_sha256
from training.models import Checkpoint, TrainingRun, artifacts_storage, weights_storage
from training.pace import Pace
from training.services import next_run
from training.supervisor import _Attempt
from training.telling import Teller

pytestmark = pytest.mark.django_db

#: Seconds of the end of a run whose validation takes none.
_END = 4.0


@pytest.fixture
def run(project: Project) -> TrainingRun:
    """A run that this test holds, of ten epochs."""
    factories.make_run(project, options={"epochs": 10})
    return claimed()


@pytest.fixture
def attempt(run: TrainingRun, tmp_path: Path) -> _Attempt:
    return _Attempt(run, Reporter(run), tmp_path)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience is out after a few tries, which come at once."""
    monkeypatch.setattr(storing, "PATIENCE_SECONDS", 2.5)
    monkeypatch.setattr(epochs, "PATIENCE_SECONDS", 2.5)
    monkeypatch.setattr(storing, "_pause", lambda _, check: check())


def failing(times: float, error: Exception, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call that fails so many times first."""
    left = times

    def instead(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error
        return call(*args, **kwargs)

    return instead


class TestTheQueue:
    def test_an_interrupted_run_goes_before_one_that_came_later(self, run: TrainingRun) -> None:
        factories.make_run(run.project)
        transitions.take_back(run)
        assert next_run() == run

    def test_a_run_for_a_newer_release_is_left_to_newer_workers(self, project: Project) -> None:
        newer = factories.make_run(project, spec_version=TrainingRun.newest_spec + 1)
        assert next_run() is None
        older = factories.make_run(newer.project)
        assert next_run() == older

    def test_where_another_worker_is_faster_the_next_is_tried(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = factories.make_run(project), factories.make_run(project)
        done: list[TrainingRun] = []

        def race(**_: Any) -> TrainingRun | None:
            found = next_run()
            if found == first:
                transitions.claim(TrainingRun, found.pk, worker="faster")
            return found

        monkeypatch.setattr(tasks, "next_run", race)
        monkeypatch.setattr(supervisor, "train", lambda run, _: done.append(run))
        monkeypatch.setattr(runner, "lease_kept", _nothing_kept)
        tasks.run_training(str(first.pk))
        assert done == [second]

    def test_one_delivery_does_one_run(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(2):
            factories.make_run(project)
        monkeypatch.setattr(supervisor, "train", lambda *_: None)
        monkeypatch.setattr(runner, "lease_kept", _nothing_kept)
        tasks.run_training("")
        assert TrainingRun.objects.filter(status=Status.SUCCEEDED).count() == 1


class _nothing_kept:  # noqa: N801  stands for a function
    """In place of the keeper's thread, which would not see this test's transaction."""

    def __init__(self, *_: Any) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class TestAStartModelThatWasDeleted:
    @pytest.fixture
    def orphan(self, project: Project) -> TrainingRun:
        gone = factories.make_model(project)
        factories.make_run(project, start_model=gone, base_model=str(gone.pk))
        run = claimed()
        gone.delete()
        return run

    def test_is_named_where_the_run_has_not_begun(
        self, orphan: TrainingRun, tmp_path: Path
    ) -> None:
        with pytest.raises(UserError) as refused:
            _Attempt(orphan, Reporter(orphan), tmp_path)._spec([], None)
        assert refused.value.code == "start_model_gone"
        assert "{" not in refused.value.message

    def test_is_not_needed_once_the_run_has_begun(self, orphan: TrainingRun) -> None:
        orphan.start_model = None
        orphan.environment = {"architecture": "yolo12x"}
        assert orphan.architecture == "yolo12x"

    def test_architecture_is_noted_at_the_start(self, project: Project) -> None:
        model = factories.make_model(project, architecture="yolo12m")
        factories.make_run(project, start_model=model, base_model=str(model.pk))
        run = claimed()
        epochs.record_start(run, {"device": "cpu"})
        run.refresh_from_db()
        assert run.environment["architecture"] == "yolo12m"


@pytest.mark.usefixtures("no_pauses")
class TestAStorageThatFails:
    def commit(self, run: TrainingRun, folder: Path) -> None:
        epochs.commit(run, [epoch_message(folder)], lambda: None)

    def test_for_a_while_is_waited_for(
        self, run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = failing(1, OSError(errno.EIO, "away"), checkpoints.store)
        monkeypatch.setattr(checkpoints, "store", broken)
        self.commit(run, tmp_path)
        assert run.checkpoints.count() == 1

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    def test_because_it_is_full_is_waited_for_and_said(
        self, run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        full = failing(99, OSError(number, "full"), checkpoints.store)
        monkeypatch.setattr(type(weights_storage()), "save", full)
        with pytest.raises(Interrupted) as cut:
            self.commit(run, tmp_path)
        assert cut.value.reason == "disk_full"

    @pytest.mark.parametrize("error", [OSError(errno.EIO, "away"), RuntimeError("of S3")])
    def test_for_long_has_the_run_taken_back(
        self, run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        monkeypatch.setattr(type(weights_storage()), "save", failing(99, error, print))
        with pytest.raises(Interrupted) as cut:
            self.commit(run, tmp_path)
        assert cut.value.reason == "storage_away"
        assert run.epochs.count() == 0

    def test_by_giving_back_other_bytes_is_written_again(
        self, run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        digests = iter(["another"])
        monkeypatch.setattr(
            checkpoints, "file_sha256", lambda file: next(digests, "") or file_sha256(file)
        )
        self.commit(run, tmp_path)
        stored = run.checkpoints.get()
        path = Path(weights_storage().path(str(stored.file.name)))
        assert list(path.parent.iterdir()) == [path]

    def test_when_the_result_is_stored_is_waited_for(
        self, run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        best = tmp_path / "best.pt"
        best.write_bytes(BYTES)
        run.epoch = 1
        done = {"best_path": str(best), "artifacts": [], "metrics": {}}
        kind = type(weights_storage())
        monkeypatch.setattr(kind, "save", failing(1, OSError(errno.EIO, "away"), kind.save))
        results.prepare(run, done, lambda: None)

    def test_to_remove_what_is_old_ends_no_training(
        self, run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.commit(run, tmp_path)
        broken = failing(99, OSError(errno.EIO, "away"), print)
        monkeypatch.setattr(type(weights_storage()), "delete", broken)
        checkpoints.remove(run.checkpoints.get())
        assert run.checkpoints.count() == 0


def test_storage_is_not_waited_for_once_somebody_cancels(run: TrainingRun) -> None:
    reporter = Reporter(run)
    reporter.cancel.set()
    began = time.monotonic()
    with pytest.raises(CancelRequested):
        storing.patiently(failing(99, OSError(), print), reporter.raise_if_cancelled)
    assert time.monotonic() - began < 0.5


class TestProgress:
    @pytest.fixture
    def told(self, attempt: _Attempt) -> Callable[..., dict[str, Any]]:
        """Say something as the trainer does; six seconds an epoch, one of them gone."""
        clock = [0.0]
        attempt.teller.pace = Pace(epochs=10, mosaics_until=10, clock=lambda: clock[0])
        clock[0] += 6
        attempt.teller.pace.end(3)
        clock[0] += 1

        def tell(phase: str, epoch: int, done: int = 1) -> dict[str, Any]:
            message = {"type": "progress", "phase": phase, "epoch": epoch, "done": done}
            attempt._hear({**message, "total": 10, "images_per_second": 12.5})
            assert attempt.reporter._progress is not None
            return attempt.reporter._progress

        return tell

    def test_within_an_epoch_counts_those_before(self, told: Callable[..., Any]) -> None:
        state = told("train", 4, 5)
        assert (state["done"], state["percent"]) == (3, 34.5)

    def test_tells_the_time_left_with_the_end(self, told: Callable[..., Any]) -> None:
        assert told("train", 4)["eta_seconds"] == pytest.approx(6 * 7 - 0.6 + _END, abs=0.1)

    def test_tells_how_quickly_pictures_pass(self, told: Callable[..., Any]) -> None:
        assert told("train", 4)["images_per_second"] == 12.5

    def test_tells_what_the_machine_does(
        self, told: Callable[..., Any], attempt: _Attempt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attempt.teller.watching(os.getpid())
        monkeypatch.setattr(attempt.teller._gauge, "_now", {"gpu_use": 80.0, "gpu_power": 300.0})
        state = told("train", 4)
        assert (state["gpu_use"], state["gpu_power"]) == (80.0, 300.0)

    @pytest.mark.parametrize(
        ("options", "best", "is_most"),
        [
            ({"epochs": 10, "patience": 0}, None, False),
            ({"epochs": 10, "patience": 5}, None, True),
            ({"epochs": 10, "patience": 5}, {"epoch": 5}, False),
            ({"epochs": 10, "patience": 100}, None, False),
            ({"epochs": 10, "time_limit": 2.0}, None, True),
        ],
    )
    def test_the_time_left_is_the_most_where_the_run_may_end_sooner(
        self, run: TrainingRun, options: dict[str, Any], best: Any, is_most: bool
    ) -> None:
        run.options, run.best = options, best
        teller = Teller(run, Reporter(run))
        message = {"phase": "train", "epoch": 4, "done": 1, "total": 2}
        teller.progress(message, is_last=False)
        assert teller._reporter._progress is not None
        assert teller._reporter._progress["eta_is_most"] is is_most

    def test_no_more_is_promised_than_the_time_limit(self, run: TrainingRun) -> None:
        clock = [0.0]
        run.options = {"epochs": 1000, "time_limit": 1.0}
        teller = Teller(run, Reporter(run), used=3_000)
        teller.pace = Pace(epochs=1000, mosaics_until=1000, clock=lambda: clock[0])
        clock[0] += 60
        teller.pace.end(1)
        teller.progress({"phase": "train", "epoch": 2, "done": 0, "total": 2}, is_last=False)
        assert teller._reporter._progress is not None
        assert teller._reporter._progress["eta_seconds"] == 600

    def test_in_finish_all_epochs_are_done_and_the_end_counts_down(
        self, told: Callable[..., Any]
    ) -> None:
        state = told("finish", 10)
        assert (state["done"], state["percent"]) == (10, 100.0)
        assert state["eta_seconds"] == pytest.approx(_END - 1, abs=0.1)

    def test_while_the_trainer_ends_in_silence_the_time_left_is_told(
        self, run: TrainingRun
    ) -> None:
        clock = [0.0]
        run.options = {"epochs": 2, "patience": 0}
        teller = Teller(run, Reporter(run))
        teller.pace = Pace(epochs=2, mosaics_until=2, clock=lambda: clock[0])
        epoch = {"seconds": 10.0, "images_per_second": 5.0}  # that is how long each takes
        left = []
        for number in (1, 2):
            clock[0] += 10
            teller.epoch({**epoch, "epoch": number})
            teller.committed({**epoch, "epoch": number}, is_last=False)
            for _ in range(2):
                clock[0] += 1
                teller.count_down()
                state = teller._reporter._progress
                assert state is not None
                left.append(state["eta_seconds"])
        assert left == [10 + _END, 10 + _END, _END - 1, _END - 2]

    def test_in_prepare_of_a_resume_the_epochs_before_count(self, told: Callable[..., Any]) -> None:
        state = told("prepare", 4)
        assert (state["done"], state["percent"], state["eta_seconds"]) == (4, 40.0, None)

    def test_in_prepare_tells_how_many_pictures_are_laid_out(self, attempt: _Attempt) -> None:
        attempt._laid_out(5)
        state = attempt.reporter._progress
        assert state is not None
        assert (state["phase"], state["done"], state["batch"]) == ("prepare_pictures", 0, 5)
        attempt.reporter.cancel.set()
        with pytest.raises(CancelRequested):
            attempt._laid_out(9)

    def test_while_stopping_only_this_epoch_is_left(
        self, told: Callable[..., Any], attempt: _Attempt
    ) -> None:
        attempt.is_stop_sent = True
        state = told("train", 4)
        assert state["eta_seconds"] == pytest.approx(6 - 0.6 + _END, abs=0.1)
        assert state["eta_is_most"] is False

    def test_after_the_last_epoch_of_a_stop_the_end_is_left(
        self, told: Callable[..., Any], attempt: _Attempt, tmp_path: Path
    ) -> None:
        attempt.is_stop_sent = True
        attempt._hear(epoch_message(tmp_path, 4))
        assert attempt.reporter._progress is not None
        assert attempt.reporter._progress["eta_seconds"] == pytest.approx(_END, abs=0.1)

    def test_of_a_resume_begins_where_it_was(
        self, attempt: _Attempt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attempt.run.epoch = 4
        monkeypatch.setattr(supervisor, "lay_out", failing(1, CancelRequested(), print))
        with pytest.raises(CancelRequested):
            attempt.perform()
        assert attempt.reporter._progress is not None
        assert attempt.reporter._progress["done"] == 4
        assert attempt.reporter._progress["percent"] == 40.0


def test_a_row_deleted_before_the_end_makes_no_noise(
    run: TrainingRun, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete_first(_: object) -> bool:
        TrainingRun.objects.filter(pk=run.pk).delete()
        return True

    monkeypatch.setattr(runner, "_tell_the_rest", delete_first)
    with caplog.at_level(logging.INFO):
        runner._conclude(run, Reporter(run), lambda: runner._succeed(run, Reporter(run), None))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


class TestLeftovers:
    @pytest.fixture
    def stored(self, run: TrainingRun, tmp_path: Path) -> Checkpoint:
        epochs.commit(run, [epoch_message(tmp_path)], lambda: None)
        return run.checkpoints.get()

    def lost(self, run: TrainingRun) -> str:
        """Leave what a killed attempt stored and did not commit."""
        name = f"runs/{run.pk}/1-2-last.pt"
        return str(weights_storage().save(name, ContentFile(BYTES)))

    def test_of_killed_attempts_go_once_they_are_old_and_what_is_named_stays(
        self, run: TrainingRun, stored: Checkpoint
    ) -> None:
        name = self.lost(run)
        leftovers.remove_unowned_weights()
        assert weights_storage().exists(name)
        leftovers.remove_unowned_weights(older_than=timedelta(0))
        assert not weights_storage().exists(name)
        assert weights_storage().exists(stored.file.name)

    def test_beside_old_runs_were_looked_at_before(self, run: TrainingRun) -> None:
        name = self.lost(run)
        long_ago = timezone.now() - timedelta(days=30)
        TrainingRun.objects.update(status=Status.SUCCEEDED, finished_at=long_ago)
        leftovers.remove_unowned_weights(older_than=timedelta(0))
        assert weights_storage().exists(name)

    def test_of_runs_that_the_database_does_not_know_stay_for_a_month(
        self, run: TrainingRun
    ) -> None:
        name = self.lost(run)
        run.delete()
        leftovers.remove_unowned_weights(older_than=timedelta(0))
        assert weights_storage().exists(name)
        leftovers.remove_unowned_weights(of_no_run=timedelta(0))
        assert not weights_storage().exists(name)

    def test_of_artifacts_go_like_those_of_checkpoints(self, run: TrainingRun) -> None:
        named = results._artifact(run, "results.csv", "table", ContentFile(b"epoch"))
        named.save()
        name = artifacts_storage().save(f"runs/{run.pk}/1-lost.csv", ContentFile(BYTES))
        leftovers.remove_unowned_artifacts()
        assert artifacts_storage().exists(name)
        leftovers.remove_unowned_artifacts(older_than=timedelta(0))
        assert not artifacts_storage().exists(name)
        assert artifacts_storage().exists(named.file.name)

    def test_of_a_model_that_was_never_registered_goes(self, run: TrainingRun) -> None:
        registered = factories.make_model(run.project, training_run=run)
        name = weights_storage().save(f"models/{run.pk}-1.pt", ContentFile(BYTES))
        leftovers.remove_unowned_models()
        assert weights_storage().exists(name)
        leftovers.remove_unowned_models(older_than=timedelta(0))
        assert not weights_storage().exists(name)
        assert weights_storage().exists(registered.file.name)

    def test_what_a_run_could_go_on_from_goes_a_month_after_it_succeeded(
        self, run: TrainingRun, stored: Checkpoint
    ) -> None:
        for status, days, stays in (
            (Status.SUCCEEDED, 29, True),
            (Status.CANCELED, 31, True),
            (Status.SUCCEEDED, 31, False),
        ):
            ended = timezone.now() - timedelta(days=days)
            TrainingRun.objects.update(status=status, finished_at=ended)
            leftovers.remove_old_checkpoints()
            assert weights_storage().exists(stored.file.name) is stays
        assert not run.checkpoints.filter(kind=Checkpoint.Kind.LAST).exists()
