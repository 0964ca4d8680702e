"""What becomes of a run when trainer, worker or storage fails: it goes on, or says why."""

import itertools
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from jobs import keeper
from jobs.errors import UserError
from jobs.states import Status
from projects.models import Project
from projects.services import delete_project
from tests.training.conftest import Scripted, assert_whole
from training import (
    committing,
    epochs,
    leftovers,
    process,
    quarantine,
    services,
    storing,
    supervisor,
)
from training.models import Checkpoint, TrainingRun, weights_storage
from training.resuming import batch_in_use
from training.tasks import run_training

OUT = {"code": "out_of_memory", "detail": "CUDA out of memory", "batch": 8}


@pytest.fixture
def transactional_db(committed_rows: None) -> None:
    """The database as threads see it, in place of pytest-django's fixture of this name."""


@pytest.fixture(autouse=True)
def _no_quarantine() -> Any:
    yield
    for reason in ("device_failed", "disk_full"):
        quarantine._file(reason).unlink(missing_ok=True)


class TestMemoryRunsOut:
    def test_on_the_gpu_once_and_the_run_goes_on_with_half_the_batch(
        self, scripted: Scripted
    ) -> None:
        run = scripted.work(scripted.begin({"after": 3, "fail": OUT}, {}))

        assert (run.status, run.attempt, run.losses) == (Status.SUCCEEDED, 1, 0), run.error
        assert_whole(run)
        first, second = scripted.told()
        assert (first["options"]["batch"], first["resume"]) == (8, None)
        assert (second["options"]["batch"], second["resume"]["epoch"]) == (4, 3)
        assert run.adjusted == {"batch": 4, "because": "out_of_memory", "batch_before": 8}
        assert run.options["batch"] == 8, "what was asked for stays as it was"
        assert (run.environment["batch"], run.environment["too_large"]) == (4, [8])
        assert list(run.epochs.values_list("batch", flat=True)) == [8] * 3 + [4] * 7
        assert "4" in scripted.log(run).partition("CUDA out of memory")[2]

    def test_twice_and_the_run_ends_with_what_was_used(self, scripted: Scripted) -> None:
        again = {"after": 5, "fail": {**OUT, "batch": 4}}
        run = scripted.work(scripted.begin({"after": 3, "fail": OUT}, again))

        assert run.status == Status.FAILED
        assert run.error == {"code": "out_of_memory", "params": {"batch": 4}}
        assert run.epoch == 5
        assert len(scripted.told()) == 2

    def test_in_the_first_epoch_and_what_the_library_made_of_it_is_noted(
        self, scripted: Scripted
    ) -> None:
        halved = {"batch": 2, "after": 3}
        run = scripted.work(scripted.begin({**halved, "signal": int(signal.SIGKILL)}))

        assert (run.options["batch"], run.environment["batch"]) == (8, 2)
        assert run.environment["too_large"] == [4, 8]
        assert batch_in_use(run) == 2

    def test_before_the_first_epoch_is_over(self, scripted: Scripted) -> None:
        run = scripted.work(scripted.begin({"after": 0, "fail": {**OUT, "batch": 2}}, {}))

        assert run.status == Status.SUCCEEDED, run.error
        assert scripted.told()[1]["options"]["batch"] == 1

    def test_with_nothing_left_to_be_made_smaller(self, scripted: Scripted) -> None:
        run = scripted.work(scripted.begin({"after": 0, "fail": {**OUT, "batch": 1}}))

        assert run.error == {"code": "out_of_memory", "params": {"batch": 1}}
        assert len(scripted.told()) == 1

    def test_on_the_host_and_the_kernel_killed_the_trainer(
        self, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        counters = tmp_path / "vmstat"
        counters.write_text("nr_free_pages 5\noom_kill 0\n")
        monkeypatch.setattr(process, "_KERNEL_COUNTERS", counters)
        settings.TRAINING_LOADER_WORKERS = 4
        killed = {"after": 2, "count": str(counters), "signal": int(signal.SIGKILL)}
        run = scripted.work(scripted.begin(killed, {}))

        assert run.status == Status.SUCCEEDED, run.error
        assert_whole(run)
        assert [s["loader_workers"] for s in scripted.told()] == [4, 2]
        assert run.adjusted["because"] == "host_out_of_memory"
        assert scripted.told()[1]["options"]["batch"] == 4

    def test_on_the_host_long_before_and_of_another_program(
        self, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counters = tmp_path / "vmstat"
        counters.write_text("oom_kill 0\n")
        monkeypatch.setattr(process, "_KERNEL_COUNTERS", counters)
        monkeypatch.setattr(process, "_LATELY_SECONDS", 0.3)
        killed = {"epochs": 0.3, "after": 6, "signal": int(signal.SIGKILL)}
        run = scripted.begin(killed, {})
        threading.Timer(0.7, lambda: counters.write_text("oom_kill 1\n")).start()
        run = scripted.work(run)

        assert counters.read_text() == "oom_kill 1\n"
        assert (run.status, run.epoch, run.losses, run.adjusted) == (Status.QUEUED, 6, 1, {})

    def test_in_shared_memory_and_nothing_is_loaded_beside_the_trainer_any_more(
        self, scripted: Scripted, settings: Any
    ) -> None:
        settings.TRAINING_LOADER_WORKERS = 4
        failure = {"code": "shared_memory_full", "detail": "Bus error", "batch": 8}
        run = scripted.work(scripted.begin({"after": 1, "fail": failure}, {}))

        assert run.status == Status.SUCCEEDED, run.error
        assert scripted.told()[1]["loader_workers"] == 0
        assert scripted.told()[1]["options"]["batch"] == 8


class TestTheTrainerEndsWithoutAWord:
    @pytest.mark.parametrize(
        "end", [{"signal": int(signal.SIGSEGV)}, {"signal": int(signal.SIGKILL)}, {"exit": 0}]
    )
    def test_is_a_loss_and_no_end(self, scripted: Scripted, end: dict[str, int]) -> None:
        run = scripted.work(scripted.begin({"after": 4, **end}, {}))
        assert (run.status, run.losses, run.epoch) == (Status.QUEUED, 1, 4)

        run = scripted.work(run)
        assert (run.status, run.attempt) == (Status.SUCCEEDED, 2), run.error
        assert_whole(run)

    def test_each_time_at_the_same_place_and_the_run_ends(self, scripted: Scripted) -> None:
        run = scripted.begin({"after": 2, "signal": int(signal.SIGSEGV)})
        for _ in range(4):  # the first time it has got two epochs further
            run = scripted.work(run)

        assert run.status == Status.FAILED
        assert run.error == {"code": "trainer_crashed", "params": {"losses": 3}}

    def test_or_hangs_and_is_taken_down(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supervisor, "_SILENCE_SECONDS", 1.0)
        run = scripted.work(scripted.begin({"after": 4, "signal": int(signal.SIGSTOP)}, {}))
        assert (run.status, run.losses, run.epoch) == (Status.QUEUED, 1, 4)

        run = scripted.work(run)
        assert run.status == Status.SUCCEEDED, run.error
        assert_whole(run)


class TestTheHostFails:
    def test_its_gpu_and_its_worker_takes_no_run_until_the_gpu_answers(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(quarantine, "LOOK_SECONDS", 0.5)
        answers = iter([False, True])
        monkeypatch.setitem(quarantine._PROBES, "device_failed", lambda: next(answers))
        failure = {"code": "device_failed", "detail": "CUDA error: unknown error"}
        run = scripted.work(scripted.begin({"after": 4, "fail": failure}, {}))

        assert (run.status, run.error, run.epoch) == (Status.QUEUED, None, 4)
        assert quarantine.refusal() == "device_failed"
        time.sleep(0.6)
        assert quarantine.refusal() == "device_failed"
        time.sleep(0.6)
        assert quarantine.refusal() is None
        run = scripted.work(run)
        assert run.status == Status.SUCCEEDED, run.error
        assert_whole(run)

    @pytest.mark.parametrize(("program", "answers"), [("/bin/true", True), ("/bin/false", False)])
    def test_and_a_program_of_its_own_asks_the_gpu(
        self, monkeypatch: pytest.MonkeyPatch, program: str, answers: bool
    ) -> None:
        monkeypatch.setattr(quarantine.sys, "executable", program)
        assert quarantine._device_answers() is answers

    def test_its_disk_and_its_worker_takes_no_run_until_there_is_space(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(quarantine, "LOOK_SECONDS", 0.0)
        monkeypatch.setattr(quarantine, "RESERVE_BYTES", 1 << 60)
        failure = {"code": "disk_full", "detail": "No space left on device"}
        run = scripted.work(scripted.begin({"after": 4, "fail": failure}, {}))

        assert (run.status, run.error, run.epoch) == (Status.QUEUED, None, 4)
        assert quarantine.refusal() == "disk_full"
        monkeypatch.setattr(quarantine, "RESERVE_BYTES", 1)
        assert quarantine.refusal() is None
        assert scripted.work(run).status == Status.SUCCEEDED

    def test_a_note_that_the_full_disk_cut_short_counts_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        quarantine._file("disk_full").parent.mkdir(parents=True, exist_ok=True)
        quarantine._file("disk_full").write_text("")
        monkeypatch.setattr(quarantine, "RESERVE_BYTES", 1 << 60)
        assert quarantine.refusal() == "disk_full"


class TestStorage:
    def test_that_is_slow_holds_up_neither_trainer_nor_page(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Epochs of 0.1 s, 1.5 s and more to store one: the newest wins, none is missing."""
        kind, heard, stored = type(weights_storage()), [], []
        save, hear = kind.save, supervisor._Attempt._hear

        def slowly(*args: Any, **kwargs: Any) -> Any:
            time.sleep(1.5)
            stored.append(save(*args, **kwargs))
            return stored[-1]

        def listening(attempt: Any, message: Any) -> None:
            hear(attempt, message)
            if message["type"] == "epoch":
                heard.append(time.monotonic())

        monkeypatch.setattr(supervisor._Attempt, "_hear", listening)
        run = scripted.begin({"epochs": 0.1}, epochs=20)
        monkeypatch.setattr(kind, "save", slowly)
        run = scripted.work(run)

        assert run.status == Status.SUCCEEDED, run.error
        assert_whole(run, 20)
        assert len(heard) == 20
        assert max(later - before for before, later in itertools.pairwise(heard)) < 1.0, heard
        last = run.checkpoints.filter(kind="last").first()
        assert last is not None and last.epoch == 20
        best = run.checkpoints.filter(kind="best").first()
        assert best is not None and best.epoch == 19, "the newest of those that were best"
        assert len(stored) < 10, "the epochs that waited were committed together"

    def test_that_neither_takes_an_epoch_nor_fails_is_given_up(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind, thaws = type(weights_storage()), threading.Event()
        save = kind.save

        def hang(*args: Any, **kwargs: Any) -> Any:
            thaws.wait(30)
            return save(*args, **kwargs)

        monkeypatch.setattr(committing, "_STUCK_SECONDS", 1.0)
        run = scripted.begin({"epochs": 0.3}, epochs=50)
        monkeypatch.setattr(kind, "save", hang)
        began = time.monotonic()
        run = scripted.work(run)
        thaws.set()

        assert (run.status, run.epoch, run.losses) == (Status.QUEUED, 0, 1)
        assert time.monotonic() - began < 20, "it did not wait until the storage thaws"

    def test_away_for_a_while_at_the_end_of_an_epoch_costs_nothing(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind = type(weights_storage())
        save, away_until = kind.save, time.monotonic() + 2.0

        def refuse(*args: Any, **kwargs: Any) -> Any:
            if time.monotonic() < away_until:
                raise OSError("connection refused")
            return save(*args, **kwargs)

        monkeypatch.setattr(kind, "save", refuse)
        run = scripted.work(scripted.begin())

        assert (run.status, run.attempt, run.losses) == (Status.SUCCEEDED, 1, 0), run.error
        assert_whole(run)

    def test_away_for_too_long_is_a_loss(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(epochs, "PATIENCE_SECONDS", 0.5)
        monkeypatch.setattr(storing, "_pause", lambda *_: time.sleep(0.1))
        kind = type(weights_storage())
        monkeypatch.setattr(kind, "save", lambda *_, **__: 1 / 0)
        run = scripted.begin({"epochs": 0.3})
        for losses in (1, 2):
            run = scripted.work(run)
            assert (run.status, run.losses, run.epoch) == (Status.QUEUED, losses, 0)
        run = scripted.work(run)
        assert run.error == {"code": "storage_away", "params": {"losses": 3}}

    def test_with_a_flipped_bit_in_the_newest_checkpoint_gives_the_one_before(
        self, scripted: Scripted
    ) -> None:
        # Slow enough for each epoch to be stored by itself.
        killed = {"epochs": 0.3, "after": 4, "signal": int(signal.SIGKILL)}
        run = scripted.work(scripted.begin(killed, {}))
        newest = run.checkpoints.filter(kind="last").first()
        assert newest is not None and newest.epoch == 4
        path = Path(weights_storage().path(str(newest.file.name)))
        content = bytearray(path.read_bytes())
        content[5] ^= 1
        path.write_bytes(content)

        run = scripted.work(run)

        assert run.status == Status.SUCCEEDED, run.error
        assert scripted.told()[1]["resume"]["epoch"] == 3
        assert list(run.epochs.values_list("epoch", flat=True)) == list(range(1, 11))
        told = run.events.filter(type="log", payload__level="warning").get()
        assert "4" in told.payload["text"]


class TestNobodyAnswers:
    def test_though_nothing_happens_for_long_somebody_does(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supervisor, "_ALONE_SECONDS", 1.5)
        run = scripted.work(scripted.begin({"epochs": 2.5}, epochs=1))
        assert run.status == Status.SUCCEEDED, run.error

    def test_for_too_long_and_the_gpu_is_freed(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Cut off from the database: another worker has the run by now."""

        def cut(_: object) -> None:
            raise OperationalError("no route to host")

        monkeypatch.setattr(supervisor, "_ALONE_SECONDS", 1.0)
        monkeypatch.setattr(keeper._Keeper, "_look_for_wishes", cut)
        began = time.monotonic()
        run = scripted.work(scripted.begin({"epochs": 30.0}))

        assert time.monotonic() - began < 10
        assert (run.status, run.losses) == (Status.QUEUED, 1)


class TestAPersonDecides:
    def test_to_keep_the_best_of_a_run_that_went_astray(self, scripted: Scripted) -> None:
        failure = {"code": "diverged", "detail": "NaN"}
        run = scripted.work(scripted.begin({"after": 5, "fail": failure}, {}))
        assert run.error == {"code": "diverged", "params": {"detail": "NaN", "epoch": 6}}

        services.resume_run(run=run, finish=True)
        run = scripted.work(run)

        assert (run.status, run.stopped_early, run.epoch) == (Status.SUCCEEDED, True, 5), run.error
        assert run.model.file
        assert scripted.told()[1]["resume"]["finalise"] is True

    def test_to_go_on_with_less_and_the_trainer_is_told(self, scripted: Scripted) -> None:
        last = {**OUT, "batch": 4}
        tries = [{"after": 3, "fail": OUT}, {"after": 4, "fail": last}, {}]
        run = scripted.work(scripted.begin(*tries, imgsz=128))
        assert run.status == Status.FAILED

        services.resume_run(run=run, changes={"batch": 2, "imgsz": 96})
        run = scripted.work(run)

        assert run.status == Status.SUCCEEDED, run.error
        assert_whole(run)
        told = scripted.told()[2]
        assert (told["options"]["batch"], told["options"]["imgsz"]) == (2, 96)
        assert (told["resume"]["epoch"], run.model.imgsz) == (4, 96)

    def test_to_pause_and_the_gpu_is_free_within_seconds(
        self, scripted: Scripted, when: Callable[..., None]
    ) -> None:
        run = scripted.begin({"epochs": 0.3}, {})
        asked: list[float] = []

        def pause() -> None:
            services.pause_run(run=TrainingRun.objects.get(pk=run.pk))
            asked.append(time.monotonic())

        when(run, 3, pause)
        run = scripted.work(run)
        assert time.monotonic() - asked[0] < 5
        assert (run.is_paused, run.losses, run.worker) == (True, 0, "")
        assert run.epoch >= 3
        reached = run.epoch
        assert scripted.work(run).attempt == 1, "nobody takes it"

        services.resume_run(run=run)
        run = scripted.work(run)

        assert run.status == Status.SUCCEEDED, run.error
        assert_whole(run)
        assert scripted.told()[1]["resume"]["epoch"] == reached

    def test_to_pause_and_at_once_to_go_on_otherwise(
        self, scripted: Scripted, when: Callable[..., None]
    ) -> None:
        """What the trainer was told cannot be changed under it."""
        run = scripted.begin({"epochs": 0.3}, {})
        refused: list[str] = []

        def change_while_it_pauses() -> None:
            mine = TrainingRun.objects.get(pk=run.pk)
            services.pause_run(run=mine)
            for change in ({"changes": {"batch": 2}}, {"finish": True}):
                with pytest.raises(UserError) as error:
                    services.resume_run(run=mine, **change)
                refused.append(error.value.code)

        when(run, 2, change_while_it_pauses)
        run = scripted.work(run)
        assert refused == ["pausing", "pausing"]
        services.resume_run(run=run, changes={"batch": 2})
        assert scripted.work(run).status == Status.SUCCEEDED
        assert scripted.told()[1]["options"]["batch"] == 2

    def test_to_stop_while_memory_runs_out_and_it_still_stops(
        self, scripted: Scripted, when: Callable[..., None]
    ) -> None:
        run = scripted.begin({"epochs": 0.3, "after": 4, "fail": OUT}, {})
        when(run, 3, lambda: services.stop_run(run=TrainingRun.objects.get(pk=run.pk)))
        run = scripted.work(run)

        assert run.status == Status.SUCCEEDED, run.error
        assert run.stopped_early
        assert run.epoch < 8

    def test_to_delete_the_project_and_nothing_is_left(
        self, scripted: Scripted, when: Callable[..., None]
    ) -> None:
        run = scripted.begin({"epochs": 0.1}, epochs=500)
        name = f"runs/{run.pk}"
        when(run, 2, lambda: delete_project(project=Project.objects.get(pk=run.project_id)))

        run_training(str(run.pk))

        assert not TrainingRun.objects.filter(pk=run.pk).exists()
        assert not Checkpoint.objects.exists()
        # What was just being stored when the rows went is found by the next look.
        assert len(weights_storage().listdir(name)[1]) <= 2
        leftovers.remove_unowned_weights(of_no_run=timedelta(0))
        assert weights_storage().listdir(name)[1] == []


def test_a_flood_of_lines_is_thinned_and_the_training_goes_on(scripted: Scripted) -> None:
    run = scripted.work(scripted.begin({"after": 2, "flood": 20_000}, {}))

    assert run.status == Status.SUCCEEDED, run.error
    assert_whole(run)
    assert run.events.filter(type="log").count() < 5_000


def test_an_epoch_that_was_told_before_the_end_is_committed(
    scripted: Scripted, when: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that leaves waits for the epoch that is just being stored."""
    from jobs import identity

    kind = type(weights_storage())
    save = kind.save

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.5)
        return save(*args, **kwargs)

    monkeypatch.setattr(kind, "save", slowly)
    run = scripted.begin({"epochs": 0.05}, epochs=500)
    when(run, 2, identity.leave)
    try:
        run = scripted.work(run)
    finally:
        identity.leaving.clear()
        identity.giving_back.clear()

    assert (run.status, run.losses) == (Status.QUEUED, 0)
    assert_whole(run, run.epoch)
    last = run.checkpoints.filter(kind="last").first()
    assert last is not None and last.epoch == run.epoch
    assert weights_storage().size(last.file.name) == last.size
