"""Checkpoints in storage: what is kept, shared, fetched, and there when the power fails."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from projects.models import Project
from storage.disk import DiskStorage
from tests import factories
from tests.services.power import Disk
from tests.training.told import BYTES, claimed, epoch_message
from training import checkpoints, epochs, results
from training.models import Checkpoint, TrainingRun, weights_storage

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
