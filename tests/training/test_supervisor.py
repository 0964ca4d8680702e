"""One attempt of a real training: what is committed, how it ends, and how the next goes on."""

import contextlib
import json
import os
import signal
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from datasets.models import DatasetVersion
from jobs.models import JobEvent
from jobs.states import Status
from projects.models import Project
from tests.training.data import ODD_NAMES, SIDE, imported_version
from training import process, quarantine, services, supervisor
from training.models import Checkpoint, TrainedModel, TrainingRun, weights_storage
from training.pixels import check_file
from training.tasks import run_training

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

QUICK = {"epochs": 3, "patience": 0, "imgsz": SIDE, "batch": 8}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def version(project: Project, owner: User, monkeypatch: pytest.MonkeyPatch) -> DatasetVersion:
    return imported_version(project, owner, monkeypatch, names=ODD_NAMES)


@pytest.fixture
def start(
    project: Project, owner: User, version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., TrainingRun]:
    """Make a queued run; the test itself is its worker."""
    monkeypatch.setattr("jobs.queue.submit", lambda job, **_: None)

    def start_run(base_model: str = "yolo26n-scratch", **options: Any) -> TrainingRun:
        return services.start_run(
            project=project,
            user=owner,
            dataset_version=version,
            base_model=base_model,
            options={**QUICK, **options},
        )

    return start_run


@pytest.fixture
def when_epoch() -> Iterator[Callable[..., None]]:
    """Do something in a thread as soon as a run has committed an epoch."""
    threads: list[threading.Thread] = []

    def arrange(run: TrainingRun, epoch: int, act: Callable[[], None]) -> None:
        def watch() -> None:
            from django.db import connection

            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                if TrainingRun.objects.filter(pk=run.pk, epoch__gte=epoch).exists():
                    act()
                    break
                time.sleep(0.05)
            connection.close()

        threads.append(threading.Thread(target=watch))
        threads[-1].start()

    yield arrange
    for thread in threads:
        thread.join(timeout=100)


def kill_trainer() -> None:
    """Kill the trainer that this process has started."""
    for pid in trainers():
        os.kill(pid, signal.SIGKILL)


def trainers() -> list[int]:
    """Return the trainers that this process itself has started and that still run."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it may end at any moment
            if "training.trainer" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


def work(run: TrainingRun) -> TrainingRun:
    """Do one attempt, as the worker's child does."""
    run_training(str(run.pk))
    run.refresh_from_db()
    return run


def assert_epochs_are_whole(run: TrainingRun, wanted: int) -> None:
    """Every epoch once, in metrics and in the story, and the story without gaps."""
    assert list(run.epochs.values_list("epoch", flat=True)) == list(range(1, wanted + 1))
    frames = run.events.filter(type=JobEvent.Type.EPOCH)
    assert [frame.payload["epoch"] for frame in frames] == list(range(1, wanted + 1))
    numbers = list(run.events.values_list("seq", flat=True))
    assert numbers == list(range(1, run.last_seq + 1))


def assert_cache_is_as_it_was_written() -> None:
    """The training wrote into none of the pictures that it shares, and holds none any more."""
    pictures = list(settings.PICTURE_CACHE_DIR.glob("[!.]*/??/*"))
    assert len(pictures) >= 20
    for path in pictures:
        check_file(path, path.stem)
        assert path.stat().st_nlink == 1


def test_a_run_trains_commits_each_epoch_and_registers_its_best_model(
    start: Callable[..., TrainingRun],
) -> None:
    run = work(start())

    assert run.status == Status.SUCCEEDED, run.error
    assert_epochs_are_whole(run, 3)
    assert run.best is not None
    assert set(run.best) >= {"epoch", "map50", "map50_95", "precision", "recall"}
    model = TrainedModel.objects.get(training_run=run)
    assert model.classes == list(ODD_NAMES)
    assert_names_are_in(model, run)
    assert model.file.storage.size(model.file.name) == model.size
    assert {"results.csv", "args.yaml"} <= set(run.artifacts.values_list("name", flat=True))
    assert run.epochs.get(epoch=1).train["box_loss"] > 0
    assert run.events.filter(type=JobEvent.Type.LOG).count() > 5
    shown = run.pictures.get(kind="best").found
    assert 1 <= len(shown) == min(8, run.dataset_version.val_images)
    told = [frame.payload for frame in run.events.filter(type=JobEvent.Type.PROGRESS)]
    assert [state for state in told if state.get("images_per_second")]
    assert not trainers()
    assert not list(settings.WORK_DIR.glob("training-runs-*"))
    assert_cache_is_as_it_was_written()


def assert_names_are_in(model: TrainedModel, run: TrainingRun) -> None:
    """The weights know the classes by their names, letter for letter; so do the figures."""
    with zipfile.ZipFile(model.file.open("rb")) as archive:
        (pickle,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        content = archive.read(pickle)
    assert [name for name in ODD_NAMES if name.encode() not in content] == []
    assert [row["class_name"] for row in model.metrics["per_class"]] == list(ODD_NAMES)
    with run.artifacts.get(name="evaluation.json").file.open("rb") as file:
        labels = json.load(file)["confusion"]["labels"]
    assert labels == [*ODD_NAMES, "background"]


def test_the_newest_two_checkpoints_are_kept_and_every_pointer_has_its_file(
    start: Callable[..., TrainingRun],
) -> None:
    run = work(start())

    assert list(run.checkpoints.filter(kind="last").values_list("epoch", flat=True)) == [3, 2]
    for checkpoint in run.checkpoints.all():
        assert weights_storage().size(checkpoint.file.name) == checkpoint.size


def test_a_killed_trainer_is_a_loss_and_the_next_attempt_goes_on_where_it_was(
    start: Callable[..., TrainingRun], when_epoch: Callable[..., None]
) -> None:
    run = start(epochs=4)
    when_epoch(run, 2, kill_trainer)
    run = work(run)
    assert (run.status, run.losses) == (Status.QUEUED, 1)
    reached = run.epoch
    assert reached >= 2

    run = work(run)

    assert run.status == Status.SUCCEEDED, run.error
    assert_epochs_are_whole(run, 4)
    assert set(run.epochs.filter(epoch__gt=reached).values_list("attempt", flat=True)) <= {2}


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(
    start: Callable[..., TrainingRun],
    when_epoch: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = start(epochs=4)
    when_epoch(run, 2, kill_trainer)
    run = work(run)
    newest = run.checkpoints.filter(kind=Checkpoint.Kind.LAST).first()
    assert newest is not None
    os.truncate(weights_storage().path(newest.file.name), newest.size // 2)
    said, send = [], process.TrainerProcess.send

    def noting(trainer: Any, message: Any) -> None:
        said.append(message.get("epoch"))
        send(trainer, message)

    monkeypatch.setattr(process.TrainerProcess, "send", noting)
    run = work(run)

    assert run.status == Status.SUCCEEDED, run.error
    committed = [epoch for epoch in said if epoch is not None]
    assert committed[0] == newest.epoch - 1, "of the others nothing is stored that can be read"
    assert committed == sorted(committed)
    assert list(run.epochs.values_list("epoch", flat=True)) == [1, 2, 3, 4]


def test_damaged_best_weights_are_told_and_the_next_best_count(
    start: Callable[..., TrainingRun], when_epoch: Callable[..., None]
) -> None:
    run = start(epochs=4)
    when_epoch(run, 2, kill_trainer)
    run = work(run)
    # The best epoch shares its file with the last one as long as it is that.
    damaged = weights_storage().save("runs/damaged.pt", ContentFile(b"no weights"))
    run.checkpoints.filter(kind=Checkpoint.Kind.BEST).update(file=damaged)

    run = work(run)

    assert run.status == Status.SUCCEEDED, run.error
    assert_epochs_are_whole(run, 4)
    with translation.override(settings.LANGUAGE_CODE):
        told = _("The best model so far, of epoch %(epoch)d, is missing or damaged.")
    lines = [event.payload["text"] for event in run.events.filter(type="log")]
    assert told % {"epoch": 1} in lines
    assert TrainedModel.objects.filter(training_run=run).exists()


def test_where_the_card_is_gone_it_does_not_train_on_the_cpu(
    start: Callable[..., TrainingRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVTRAINER_DEVICE", "9")
    run = work(start())
    try:
        assert (run.status, run.epoch, run.losses, run.device) == (Status.QUEUED, 0, 1, "")
        assert quarantine._file("device_failed").exists()
    finally:
        quarantine._file("device_failed").unlink(missing_ok=True)


def test_stop_ends_after_the_epoch_and_keeps_the_best_model(
    start: Callable[..., TrainingRun], when_epoch: Callable[..., None]
) -> None:
    run = start(epochs=200)
    when_epoch(run, 1, lambda: services.stop_run(run=TrainingRun.objects.get(pk=run.pk)))

    run = work(run)

    assert run.status == Status.SUCCEEDED, run.error
    assert (run.stopped_early, run.stop_reason) == (True, "asked")
    assert run.epoch < 30
    assert_epochs_are_whole(run, run.epoch)
    assert TrainedModel.objects.filter(training_run=run).exists()


def test_a_run_whose_start_model_was_deleted_goes_on_from_its_checkpoint(
    start: Callable[..., TrainingRun], when_epoch: Callable[..., None]
) -> None:
    model = TrainedModel.objects.get(training_run=work(start(epochs=1)))
    run = start(epochs=4)
    TrainingRun.objects.filter(pk=run.pk).update(start_model=model, base_model=str(model.pk))
    when_epoch(run, 1, kill_trainer)
    run = work(run)
    assert run.status == Status.QUEUED, run.error
    model_id = str(model.pk)
    services.delete_model(model=model)

    run = work(run)

    assert run.status == Status.SUCCEEDED, run.error
    assert run.model.architecture == model.architecture == "yolo26n"
    arguments = run.artifacts.get(name="args.yaml").file.read().decode()
    assert f"model: {model_id}.pt" in arguments


def test_where_storing_is_slower_than_training_little_is_at_risk(
    start: Callable[..., TrainingRun], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    kind, at_risk = type(weights_storage()), []
    save, hear = kind.save, supervisor._Attempt._epoch

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(6)
        return save(*args, **kwargs)

    def listening(attempt: Any, message: Any) -> None:
        at_risk.append(message["epoch"] - attempt.run.epoch)
        hear(attempt, message)

    settings.TRAINING_UNSTORED_SECONDS = 0
    monkeypatch.setattr(kind, "save", slowly)
    monkeypatch.setattr(supervisor._Attempt, "_epoch", listening)
    run = work(start(epochs=5))

    assert run.status == Status.SUCCEEDED, run.error
    assert_epochs_are_whole(run, 5)
    assert max(at_risk) == 2, "the one that is being stored, and the one that ended meanwhile"
    with translation.override(settings.LANGUAGE_CODE):
        text = _("Storing takes longer than training: the trainer waits for it now and then.")
    assert run.events.filter(payload__text=text).count() == 1


def test_cancel_ends_at_once_keeps_committed_epochs_and_can_go_on(
    start: Callable[..., TrainingRun], when_epoch: Callable[..., None]
) -> None:
    run = start(epochs=200)
    when_epoch(run, 1, lambda: services.cancel_run(run=TrainingRun.objects.get(pk=run.pk)))
    run = work(run)
    assert run.status == Status.CANCELED
    assert not trainers()
    assert run.epoch >= 1

    services.resume_run(run=run)
    run.refresh_from_db()
    assert run.status == Status.QUEUED
    assert run.checkpoints.filter(kind="last", epoch=run.epoch).exists()


def test_a_run_that_loses_its_trainer_three_times_without_an_epoch_fails(
    start: Callable[..., TrainingRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.process.sys.executable", "/bin/false")
    run = start()
    for losses in (1, 2):
        run = work(run)
        assert (run.status, run.losses) == (Status.QUEUED, losses)

    run = work(run)

    assert run.status == Status.FAILED
    assert run.error is not None
    assert run.error["code"] == "trainer_crashed"


def test_a_run_ends_within_its_time_and_keeps_its_best_model(
    start: Callable[..., TrainingRun],
) -> None:
    run = work(start(epochs=500, time_limit=4 / 3600))

    assert run.status == Status.SUCCEEDED and run.stopped_early
    assert run.stop_reason == "time_limit"
    assert 1 <= run.epoch < 500
    assert TrainedModel.objects.filter(training_run=run).exists()
    assert_epochs_are_whole(run, run.epoch)
    taken = sum(run.epochs.values_list("seconds", flat=True))
    assert taken < 4 + 2 * max(run.epochs.values_list("seconds", flat=True))
    said = [f.payload["text"] for f in run.events.filter(type=JobEvent.Type.LOG)]
    assert any("Giới hạn thời gian" in text for text in said)


def test_missing_weights_are_named(
    start: Callable[..., TrainingRun], settings: Any, tmp_path: Any
) -> None:
    settings.WEIGHTS_DIR = str(tmp_path)

    run = work(start("yolo11n"))

    assert run.status == Status.FAILED
    assert run.error == {"code": "weights_missing", "params": {"base_model": "yolo11n"}}


def test_the_trainer_sees_no_secret(
    start: Callable[..., TrainingRun], when_epoch: Callable[..., None]
) -> None:
    seen: dict[str, str] = {}
    run = start()
    when_epoch(run, 1, lambda: [seen.update(psutil.Process(pid).environ()) for pid in trainers()])

    work(run)

    assert seen
    forbidden = {"SECRET_KEY", "FIELD_KEYS", "DATABASE_URL", "REDIS_URL", "STORAGE_URL"}
    assert not forbidden & set(seen)
    assert not any(settings.SECRET_KEY in value for value in seen.values())
