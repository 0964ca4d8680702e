"""Checkpoints in storage: what is kept, shared, fetched, and there when the power fails."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.reporter import Reporter
from jobs.states import Status
from projects.models import Project
from projects.services import delete_project
from storage.disk import DiskStorage
from tests import factories
from tests.services.power import Disk
from tests.training.told import BYTES, claimed, epoch_message
from training import checkpoints, epochs, leftovers, results
from training.models import Checkpoint, TrainingRun, weights_storage
from training.starting import Start

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project: Project) -> TrainingRun:
    """A run that this test holds, of ten epochs."""
    factories.make_run(project, options={"epochs": 10})
    return claimed()


class TestWhatIsKept:
    def test_of_damaged_ones_goes_when_their_epoch_is_done_again(self, run: TrainingRun) -> None:
        for number, try_ in ((1, 1), (2, 1), (3, 1), (3, 2)):  # the second try fell back to 2
            Checkpoint.objects.create(
                run=run, kind="last", epoch=number, attempt=try_, file=f"{number}-{try_}", size=1
            )
        checkpoints.prune(run)
        kept = [(item.epoch, item.attempt) for item in checkpoints.candidates(run)]
        assert kept == [(3, 2), (2, 1)]


class TestTheBestEpoch:
    """Its last checkpoint and its best one are the same bytes: one file, with two rows."""

    def commit(self, run: TrainingRun, folder: Path, number: int, *, is_best: bool) -> None:
        content = f"weights of {number}".encode()
        message = epoch_message(folder, number, content=content, is_best=is_best)
        epochs.commit(run, [message], lambda: None)

    def files(self, run: TrainingRun) -> set[str]:
        return {f"runs/{run.pk}/{name}" for name in weights_storage().listdir(f"runs/{run.pk}")[1]}

    def rows(self, run: TrainingRun) -> list[tuple[str, int]]:
        return sorted(run.checkpoints.values_list("kind", "epoch"))

    def test_is_stored_once(
        self, run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind, saved = type(weights_storage()), []
        save = kind.save
        monkeypatch.setattr(kind, "save", lambda *a, **k: saved.append(a[1]) or save(*a, **k))
        self.commit(run, tmp_path, 1, is_best=True)
        assert self.rows(run) == [("best", 1), ("last", 1)]
        assert len(saved) == 1
        assert self.files(run) == {item.file.name for item in run.checkpoints.all()} == {*saved}
        assert not list(tmp_path.glob("*.pt"))

    def test_keeps_its_file_as_long_as_one_of_both_is_kept(
        self, run: TrainingRun, tmp_path: Path
    ) -> None:
        for number in (1, 2, 3):
            self.commit(run, tmp_path, number, is_best=number == 1)
        assert self.rows(run) == [("best", 1), ("last", 2), ("last", 3)]
        assert self.files(run) == set(run.checkpoints.values_list("file", flat=True))
        assert checkpoints.fetch(run.checkpoints.get(kind="best"), tmp_path / "fetched.pt")

        for number in (4, 5):
            self.commit(run, tmp_path, number, is_best=number == 4)
        assert self.rows(run) == [("best", 4), ("last", 4), ("last", 5)]
        assert self.files(run) == set(run.checkpoints.values_list("file", flat=True))
        assert len(self.files(run)) == 2

    def test_goes_with_its_file_when_both_are_removed(
        self, run: TrainingRun, tmp_path: Path
    ) -> None:
        self.commit(run, tmp_path, 1, is_best=True)
        first, second = run.checkpoints.all()
        checkpoints.remove(first)
        assert self.files(run) == {second.file.name}
        leftovers.remove_unowned_weights(older_than=timedelta(0))
        assert self.files(run) == {second.file.name}
        checkpoints.remove(second)
        assert self.files(run) == set()

    def test_keeps_its_best_when_what_it_went_on_from_is_not_needed_any_more(
        self, run: TrainingRun, tmp_path: Path
    ) -> None:
        self.commit(run, tmp_path, 1, is_best=True)
        ended = timezone.now() - timedelta(days=31)
        TrainingRun.objects.update(status=Status.SUCCEEDED, finished_at=ended)
        assert leftovers.remove_old_checkpoints() == 1
        assert self.rows(run) == [("best", 1)]
        assert self.files(run) == {run.checkpoints.get().file.name}

    def test_goes_with_its_project(
        self, run: TrainingRun, tmp_path: Path, django_capture_on_commit_callbacks: Any
    ) -> None:
        self.commit(run, tmp_path, 1, is_best=True)
        with django_capture_on_commit_callbacks(execute=True):
            delete_project(project=run.project)
        assert self.files(run) == set()

    def test_is_fetched_once(
        self, run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start, fetched, fetch = Start(run, Reporter(run), tmp_path), [], checkpoints.fetch
        monkeypatch.setattr(
            checkpoints, "fetch", lambda item, to: fetched.append(item.file.name) or fetch(item, to)
        )
        self.commit(run, tmp_path, 1, is_best=True)
        resume = next(start.checkpoints(finalise=False))
        assert resume is not None and resume.best == resume.last
        assert len(fetched) == 1
        self.commit(run, tmp_path, 2, is_best=False)
        resume = next(start.checkpoints(finalise=False))
        assert resume is not None and resume.best is not None
        assert Path(resume.best).read_bytes() == b"weights of 1"
        assert Path(resume.last).read_bytes() == b"weights of 2"


class TestWhatAnAttemptBeginsWith:
    """A checkpoint, or the weights of a model."""

    @pytest.fixture
    def fetch(self, run: TrainingRun, tmp_path: Path) -> dict[str, Callable[[], bool]]:
        epochs.commit(run, [epoch_message(tmp_path)], lambda: None)
        model = factories.make_model(run.project)
        target = tmp_path / "fetched.pt"
        return {
            run.checkpoints.get().file.path: partial(
                checkpoints.fetch, run.checkpoints.get(), target
            ),
            model.file.path: partial(results.fetch_model, model, target),
        }

    def test_that_is_gone_is_told(self, fetch: dict[str, Callable[[], bool]]) -> None:
        for path, get in fetch.items():
            Path(path).unlink()
            assert get() is False

    def test_that_cannot_be_looked_for_is_not_given_up(
        self, fetch: dict[str, Callable[[], bool]]
    ) -> None:
        root = Path(weights_storage().location)
        root.rename(root.with_name("not-mounted"))
        try:
            for get in fetch.values():
                with pytest.raises(FileNotFoundError):
                    get()
        finally:
            root.with_name("not-mounted").rename(root)
        assert all(get() for get in fetch.values())


def test_what_was_committed_is_there_when_the_power_fails(
    run: TrainingRun, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies of the trainer go as soon as the storage has the epoch."""
    storages = {"weights": DiskStorage(str(disk.root / "weights"))}
    storages["artifacts"] = DiskStorage(str(disk.root / "artifacts"))
    monkeypatch.setattr(checkpoints, "weights_storage", lambda: storages["weights"])
    monkeypatch.setattr(results, "weights_storage", lambda: storages["weights"])
    monkeypatch.setattr(results, "artifacts_storage", lambda: storages["artifacts"])
    told = epoch_message(tmp_path)
    epochs.commit(run, [told], lambda: None)
    assert not list(tmp_path.glob("*.pt"))
    best = tmp_path / "best.pt"
    best.write_bytes(BYTES)
    done = {"best_path": str(best), "artifacts": [], "metrics": {}, "stopped_early": False}
    results.prepare(run, {**done, "best": {}}, lambda: None)()
    left = disk.cut()
    assert (left / "weights" / run.checkpoints.get().file.name).read_bytes() == BYTES
    assert (left / "weights" / run.model.file.name).read_bytes() == BYTES
    for artifact in run.artifacts.all():
        assert (left / "artifacts" / artifact.file.name).stat().st_size == artifact.size > 0
