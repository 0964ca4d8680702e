"""The trainer as its supervisor sees it: real trainings of a small model on drawn pictures."""

import csv
import hashlib
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.training.trainer_driver import (
    NAMES,
    ROOT,
    Trainer,
    draw_dataset,
    environment,
    make_spec,
    prepare_pictures,
    train,
    watch_programs,
)
from training.messages import Data, Resume
from training.trainer_arguments import OPTION_NAMES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WEIGHTS = Path(__file__).resolve().parents[3] / "shared/data/weights/yolo11n.pt"
EPOCHS = 3


class Evil:
    """A pickle that leaves a mark where it is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return tmp_path_factory.mktemp("config")


@pytest.fixture(scope="module")
def audit(config):
    return watch_programs(config)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def marker(tmp_path_factory):
    return tmp_path_factory.mktemp("marker") / "executed"


@pytest.fixture(scope="module")
def full(tmp_path_factory, config, data, marker, audit):
    """A whole training, on data with traps laid beside it."""
    (data / "data.yaml").write_text(
        f"val: nowhere\nnames: [a]\ndownload: open({str(marker)!r}, 'w')"
    )
    for name in ("labels.cache", "train.cache", "images.cache", "val.npy"):
        (data / name).write_bytes(pickle.dumps(Evil(marker)))
    work = tmp_path_factory.mktemp("full") / "work"
    return train(config, make_spec(data, work, options={"epochs": EPOCHS}))


def work_of(trainer: Trainer) -> Path:
    return Path(trainer.of("done")[0]["best_path"]).parents[1]


def resume_after(trainer: Trainer, epoch: int, **changes) -> Resume:
    said = next(m for m in trainer.of("epoch") if m["epoch"] == epoch)
    best = [m["best_checkpoint"] for m in trainer.of("epoch") if m["epoch"] <= epoch]
    best_path = [entry for entry in best if entry][-1]["path"]
    return Resume(last=said["checkpoint"]["path"], best=best_path, epoch=epoch, **changes)


class TestWholeRun:
    def test_it_says_each_thing_once_and_in_order(self, full):
        kinds = [message["type"] for message in full.heard]
        assert kinds[0] == "hello"
        assert kinds[-1] == "done"
        assert [m["epoch"] for m in full.of("epoch")] == list(range(1, EPOCHS + 1))
        assert len(full.of("started")) == len(full.of("done")) == 1
        assert not full.of("failed")
        assert full.process.returncode == 0

    def test_it_says_what_it_really_uses(self, full):
        (started,) = full.of("started")
        assert started["images"] == {"train": 24, "val": 8}
        assert (started["device"], started["batch"], started["epochs"]) == ("CPU", 8, EPOCHS)
        assert started["optimizer"] == "AdamW"
        assert started["final_lr"] == pytest.approx(started["lr0"] * 0.01)
        assert started["parameters"] > 2_000_000
        assert {"python", "torch", "ultralytics", "numpy", "opencv"} <= set(started["versions"])
        assert started["machine"]["cpus"] > 0
        assert "weights_sha256" not in started, "it began from scratch"

    def test_an_epoch_carries_its_figures(self, full):
        for epoch in full.of("epoch"):
            assert {"box_loss", "cls_loss"} <= set(epoch["train"])
            assert {"precision", "recall", "map50", "map50_95", "box_loss"} <= set(epoch["val"])
            assert epoch["lr"] > 0
            assert epoch["seconds"] > 0
            assert epoch["images_per_second"] > 0
            assert epoch["gpu_memory_mb"] is None

    def test_an_epoch_tells_where_its_time_went(self, full):
        for epoch in full.of("epoch"):
            assert 0 < epoch["validated_seconds"] < epoch["seconds"]
            assert 0 < epoch["waited_seconds"] < epoch["seconds"]
        rates = [m["images_per_second"] for m in full.of("progress") if m["phase"] == "train"]
        assert [rate for rate in rates if rate]

    def test_an_epoch_shows_what_is_found_on_the_same_few_pictures(self, full, data):
        names = {path.stem for path in (data / "images/val").iterdir()}
        shown = [epoch["pictures"] for epoch in full.of("epoch") if epoch["pictures"]]
        assert shown
        for pictures in shown:
            assert {picture["file"] for picture in pictures} == names
            for box in (box for picture in pictures for box in picture["boxes"]):
                kind, confidence, *corners = box
                assert kind in range(len(NAMES))
                assert 0.25 <= confidence <= 1
                assert all(0 <= corner <= 1 for corner in corners)

    def test_each_epoch_has_a_checkpoint_that_stays_as_it_was(self, full):
        for epoch in full.of("epoch"):
            for entry in filter(None, (epoch["checkpoint"], epoch["best_checkpoint"])):
                content = Path(entry["path"]).read_bytes()
                assert hashlib.sha256(content).hexdigest() == entry["sha256"]
                assert len(content) == entry["size"]
            assert bool(epoch["best_checkpoint"]) == epoch["is_best"]
        assert not list((work_of(full) / "checkpoints").glob("*.part"))

    def test_the_best_model_is_said_with_its_figures(self, full):
        (done,) = full.of("done")
        best = [m["epoch"] for m in full.of("epoch") if m["is_best"]][-1]
        assert done["best"]["epoch"] == best
        assert (done["epochs_run"], done["stopped_early"]) == (EPOCHS, False)
        assert [entry["class_name"] for entry in done["metrics"]["per_class"]] == NAMES
        assert sum(entry["boxes"] for entry in done["metrics"]["per_class"]) > 0

    def test_the_model_holds_no_path_of_this_host(self, full):
        (done,) = full.of("done")
        with zipfile.ZipFile(done["best_path"]) as archive:
            content = b"".join(archive.read(name) for name in archive.namelist())
        for foreign in (str(work_of(full)), os.environ.get("HOME", "/root"), "/site-packages"):
            assert foreign.encode() not in content

    def test_the_artifacts_are_there_to_fetch(self, full):
        (done,) = full.of("done")
        names = {entry["name"] for entry in done["artifacts"]}
        expected = {"results.csv", "results.png", "args.yaml", "evaluation.json", "best.pt"}
        assert (
            expected
            | {"predictions.jsonl", "confusion_matrix.png", "BoxPR_curve.png", "labels.jpg"}
            <= names
        )
        assert all(Path(entry["path"]).stat().st_size > 0 for entry in done["artifacts"])
        assert str(work_of(full)) not in (work_of(full) / "out/args.yaml").read_text()
        evaluation = json.loads((work_of(full) / "out/evaluation.json").read_text())
        assert evaluation["confusion"]["labels"] == [*NAMES, "background"]

    def test_the_log_can_be_read(self, full):
        text = full.log()
        assert f"Epoch {EPOCHS}/{EPOCHS} · box_loss" in text
        assert "\x1b" not in text
        assert "\r" not in text
        assert str(work_of(full)) not in text
        assert len(text.splitlines()) < 120

    def test_vietnamese_names_need_no_font_from_the_net(self, full):
        assert "ownload" not in full.log()
        assert not [
            m for m in full.of("log") if "Glyph" in m["text"] or "missing from" in m["text"]
        ]

    def test_progress_is_said_at_most_twice_a_second(self, full):
        phases = [message["phase"] for message in full.of("progress")]
        assert {"prepare", "train"} <= set(phases)
        assert len(phases) < 60

    def test_it_connects_to_nothing_and_starts_no_program(self, full, audit):
        # matplotlib asks once which fonts there are
        assert set(audit.read_text().splitlines()) <= {"subprocess.Popen 'fc-list'"}

    def test_nothing_beside_the_data_was_read_or_run(self, full, marker, data):
        assert not marker.exists()
        assert not list(data.glob("labels/*.cache"))


def test_the_same_seed_gives_the_same_training(full, config, data, tmp_path):
    again = train(config, make_spec(data, tmp_path / "w", options={"epochs": EPOCHS}))
    assert [m["train"] for m in again.of("epoch")] == [m["train"] for m in full.of("epoch")]
    assert [m["val"] for m in again.of("epoch")] == [m["val"] for m in full.of("epoch")]


def test_killed_in_the_middle_it_goes_on_after_the_last_epoch(full, config, data, tmp_path):
    options = {"epochs": EPOCHS}
    with Trainer.cold(config) as trainer:
        trainer.say(make_spec(data, tmp_path / "killed", options=options).as_message())
        trainer.until("epoch", epoch=2)
        trainer.until("progress", epoch=3)
        trainer.kill()
    resume = resume_after(trainer, 2)
    second = train(config, make_spec(data, tmp_path / "next", options=options, resume=resume))
    assert second.heard[-1]["type"] == "done", second.log()
    assert [m["epoch"] for m in second.of("epoch")] == [3]
    assert second.of("started")[0]["start_epoch"] == 3
    rates = {m["epoch"]: m["lr"] for m in full.of("epoch")}
    assert [m["lr"] for m in second.of("epoch")] == [rates[3]]
    with (tmp_path / "next/run/results.csv").open() as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == [1, 2, 3]


class TestResume:
    """What can be wrong with a checkpoint, or with the wish to go on from it."""

    def go_on(self, config, data, tmp_path, resume, **options):
        options = {"epochs": EPOCHS, **options}
        return train(config, make_spec(data, tmp_path / "w", options=options, resume=resume))

    @pytest.mark.parametrize("part", ["last", "best"])
    def test_a_copy_cut_short_is_refused_by_its_name(self, full, config, data, tmp_path, part):
        whole = resume_after(full, 2)
        cut = tmp_path / "cut.pt"
        content = Path(getattr(whole, part)).read_bytes()
        cut.write_bytes(content[: len(content) // 2])
        paths = {"last": whole.last, "best": whole.best, part: str(cut)}
        trainer = self.go_on(config, data, tmp_path, Resume(epoch=2, **paths))
        assert trainer.heard[-1]["code"] == "checkpoint_unreadable"
        assert trainer.process.returncode == 1

    def test_a_run_that_was_over_is_only_finished(self, full, config, data, tmp_path):
        trainer = self.go_on(config, data, tmp_path, resume_after(full, EPOCHS))
        assert not trainer.of("epoch")
        (done,) = trainer.of("done")
        (before,) = full.of("done")
        assert done["best"] == before["best"]
        found = [(work_of(one) / "run/predictions.jsonl").read_text() for one in (trainer, full)]
        assert found[0] == found[1] and len(found[0].splitlines()) == 8
        assert (done["epochs_run"], done["stop_reason"]) == (EPOCHS, "completed")

    def test_a_run_can_be_finished_before_its_time(self, full, config, data, tmp_path):
        trainer = self.go_on(config, data, tmp_path, resume_after(full, 2, finalise=True))
        (done,) = trainer.of("done")
        assert (done["epochs_run"], done["stopped_early"]) == (2, True)

    def test_where_the_best_is_lost_the_next_best_counts(self, full, config, data, tmp_path):
        """The lost one was better than all that come: without it, some of them are the best."""
        whole = resume_after(full, 2)
        last = tmp_path / "last.pt"
        unreachable = (
            "import sys, torch; one = torch.load(sys.argv[1], weights_only=False);"
            "one['best_fitness'] = 9.0; torch.save(one, sys.argv[2])"
        )
        command = [sys.executable, "-c", unreachable, whole.last, str(last)]
        subprocess.run(command, env=environment(config), check=True)
        trainer = self.go_on(config, data, tmp_path, Resume(last=str(last), best=None, epoch=2))
        assert trainer.heard[-1]["type"] == "done"
        (done,) = trainer.of("done")
        best = [message["epoch"] for message in trainer.of("epoch") if message["is_best"]]
        fitness = {message["epoch"]: message["fitness"] for message in full.of("epoch")}
        assert fitness[3] >= fitness[2], "else this proves nothing"
        assert best == [3] and done["best"]["epoch"] == 3

    def test_a_checkpoint_of_other_settings_is_refused(self, full, config, data, tmp_path):
        trainer = self.go_on(config, data, tmp_path, resume_after(full, 2), degrees=3.0)
        assert trainer.heard[-1]["code"] == "checkpoint_mismatch"
        assert "degrees" in trainer.heard[-1]["detail"]


PATIENCE = 2


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """Make specs of a model that no training makes better: what it finds hangs on no picture."""
    folder = tmp_path_factory.mktemp("patience")
    weights, data = folder / "still.pt", folder / "data"
    # Boxes of 57.6 pixels around the middle of each square of 32, and one of them is right.
    write = [sys.executable, "-m", "tests.detection.weights", str(weights), "28.8"]
    subprocess.run(write, check=True, cwd=ROOT)
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (data / kind / split).mkdir(parents=True)
        for number in range(4):
            picture = Image.new("RGB", (96, 96), (90, 100, 110 + number))
            picture.save(data / "images" / split / f"{number}.jpg")
            label = data / "labels" / split / f"{number}.txt"
            label.write_text("0 0.33333 0.33333 0.6 0.6")
    prepare_pictures(data / "images", size=96)
    options = {"epochs": 20, "patience": PATIENCE, "optimizer": "SGD", "lr0": 1e-6}

    def make(name, **more):
        return make_spec(
            data,
            folder / name,
            data=Data(root=str(data), names=["can", "bottle"]),
            base_model="yolo11n",
            weights=str(weights),
            options={**options, "warmup_epochs": 0},
            **more,
        )

    return make


@pytest.fixture(scope="module")
def out_of_patience(config, still):
    return train(config, still("first"))


class TestPatience:
    """What ends a training that gets no better, and what that leaves for whoever goes on."""

    def test_runs_out_and_the_training_ends_before_its_time(self, out_of_patience):
        (done,) = out_of_patience.of("done")
        assert (done["stop_reason"], done["stopped_early"]) == ("patience", True)
        found = [m["val"]["map50"] for m in out_of_patience.of("epoch")]
        # The first epoch was the best, and after it nothing got better this many times.
        assert len(found) == done["epochs_run"] == 1 + PATIENCE
        assert found[0] == max(found) > 0
        assert out_of_patience.process.returncode == 0

    def test_is_still_out_when_the_run_goes_on_and_it_is_only_finished(
        self, out_of_patience, config, still
    ):
        # As after a worker that died between the last epoch and the end.
        last = 1 + PATIENCE
        again = train(config, still("again", resume=resume_after(out_of_patience, last)))
        assert not again.of("epoch")
        (done,), (before,) = again.of("done"), out_of_patience.of("done")
        assert (done["stop_reason"], done["stopped_early"]) == ("patience", True)
        assert (done["epochs_run"], done["best"]) == (last, before["best"])

    def test_is_not_out_yet_where_the_run_was_cut_off_before(self, out_of_patience, config, still):
        again = train(config, still("cut", resume=resume_after(out_of_patience, PATIENCE)))
        assert [m["epoch"] for m in again.of("epoch")] == [1 + PATIENCE]
        assert again.of("done")[0]["stop_reason"] == "patience"


def test_stop_ends_after_the_epoch_and_keeps_the_best(config, data, tmp_path):
    with Trainer.cold(config) as trainer:
        trainer.say(make_spec(data, tmp_path / "w", options={"epochs": 50}).as_message())
        trainer.until("progress", epoch=2, phase="train")
        trainer.say({"type": "stop"})
        done = trainer.to_the_end()
    assert done["type"] == "done"
    assert (done["epochs_run"], done["stopped_early"], done["stop_reason"]) == (2, True, "asked")
    assert [m["epoch"] for m in trainer.of("epoch")] == [1, 2]


def test_drain_leaves_within_the_epoch_without_finishing(config, data, tmp_path):
    with Trainer.cold(config) as trainer:
        trainer.say(make_spec(data, tmp_path / "w", options={"epochs": 50}).as_message())
        trainer.until("progress", epoch=2, phase="train")
        trainer.say({"type": "drain"})
        last = trainer.to_the_end()
        trainer.process.wait(timeout=30)
    assert last == {"type": "drained", "epoch": 1}
    assert [m["epoch"] for m in trainer.of("epoch")] == [1]
    assert not (tmp_path / "w/out/best.pt").exists()
    assert trainer.process.returncode == 0


@pytest.mark.parametrize(("command", "word"), [("stop", "done"), ("drain", "drained")])
def test_it_waits_where_too_much_is_not_stored_and_hears_meanwhile(
    config, data, tmp_path, command, word
):
    spec = make_spec(data, tmp_path / "w", options={"epochs": 50}, unstored_seconds=0)
    with Trainer.cold(config) as trainer:
        trainer.say(spec.as_message())
        trainer.until("epoch", epoch=2)
        for _ in range(4):  # at most two a second
            trainer.until("progress", phase="train", epoch=3, done=0)
        trainer.say({"type": "committed", "epoch": 1})
        trainer.until("epoch", epoch=3)
        trainer.say({"type": "committed", "epoch": 3})
        trainer.until("epoch", epoch=5)
        trainer.until("progress", phase="train", epoch=6, done=0)
        trainer.say({"type": command})
        last = trainer.to_the_end()
    assert last["type"] == word
    assert [m["epoch"] for m in trainer.of("epoch")] == [1, 2, 3, 4, 5]


def test_a_warm_spare_takes_one_supervisor_and_starts_at_once(config, data, tmp_path):
    sockets = tmp_path / "sockets"
    sockets.mkdir(mode=0o700)
    with Trainer.warm(config, sockets / "spare.sock") as trainer:
        assert trainer.until("hello")["warm"] is True
        assert not list(sockets.iterdir())
        trainer.say(make_spec(data, tmp_path / "w", options={"epochs": 1}).as_message())
        assert trainer.to_the_end()["type"] == "done"
        assert [m["epoch"] for m in trainer.of("epoch")] == [1]


def test_a_loss_that_is_no_number_ends_as_diverged(full, config, data, tmp_path):
    poisoned = tmp_path / "nan.pt"
    with (
        zipfile.ZipFile(full.of("done")[0]["best_path"]) as source,
        zipfile.ZipFile(poisoned, "w") as target,
    ):
        for entry in source.infolist():
            content = source.read(entry)
            if "/data/" in entry.filename:
                content = b"\x00\x7e" * (len(content) // 2)  # NaN in half precision
            target.writestr(entry.filename, content)
    options = {"epochs": 8, "imgsz": 64}
    spec = make_spec(data, tmp_path / "w", weights=str(poisoned), options=options)
    trainer = train(config, spec)
    assert trainer.heard[-1]["code"] == "diverged"
    assert all(value is None for value in trainer.of("epoch")[0]["train"].values())


@pytest.fixture
def small_disk(tmp_path):
    """A file system on which no second checkpoint fits."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named(config, data, small_disk):
    trainer = train(config, make_spec(data, small_disk / "w"))
    assert trainer.heard[-1]["code"] == "disk_full"


class TestWhatIsRefused:
    def failure(self, config, spec) -> str:
        trainer = train(config, spec)
        assert not trainer.of("started")
        assert [m["type"] for m in trainer.heard].count("failed") == 1
        return trainer.heard[-1]["code"]

    def test_weights_with_code_in_them(self, config, data, tmp_path):
        marker, evil = tmp_path / "executed", tmp_path / "evil.pt"
        with zipfile.ZipFile(evil, "w") as archive:
            archive.writestr("evil/data.pkl", pickle.dumps({"model": Evil(marker)}))
            archive.writestr("evil/version", "3\n")
        spec = make_spec(data, tmp_path / "w", base_model="yolo11n", weights=str(evil))
        assert self.failure(config, spec) == "weights_unreadable"
        assert not marker.exists()

    def test_a_label_that_no_class_has(self, config, tmp_path):
        data = draw_dataset(tmp_path / "data", train=2, val=1)
        for label in (data / "labels/train").iterdir():
            label.write_text("7 0.5 0.5 0.2 0.2\n")
        assert self.failure(config, make_spec(data, tmp_path / "w")) == "data_error"

    def test_a_gpu_that_is_not_there_any_more(self, config, data, tmp_path):
        spec = make_spec(data, tmp_path / "w", device="99")
        assert self.failure(config, spec) == "device_failed"

    def test_a_spec_that_is_none(self, config):
        with Trainer.cold(config) as trainer:
            trainer.say({"type": "spec", "version": 1})
            assert trainer.to_the_end()["code"] == "bad_spec"

    def test_options_outside_the_closed_list(self, config, data, tmp_path):
        spec = make_spec(data, tmp_path / "w", options={"project": "/tmp"})
        assert self.failure(config, spec) == "bad_spec"


@pytest.mark.skipif(not WEIGHTS.exists(), reason="needs shared/data/weights/yolo11n.pt")
def test_pretrained_weights_learn_where_none_would(config, data, tmp_path):
    options = {"epochs": 3, "imgsz": 128, "optimizer": "AdamW", "lr0": 0.002, "warmup_epochs": 0}
    spec = make_spec(
        data, tmp_path / "w", base_model="yolo11n", weights=str(WEIGHTS.resolve()), options=options
    )
    trainer = train(config, spec)
    assert trainer.heard[-1]["type"] == "done", trainer.log()
    assert "Transferred" in trainer.log()
    assert trainer.of("epoch")[-1]["val"]["map50"] > 0.05


def test_the_options_reach_the_library(full):
    assert set(OPTION_NAMES) <= set(
        (work_of(full) / "out/args.yaml").read_text().replace(":", " ").split()
    )
