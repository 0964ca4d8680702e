"""The small parts of the trainer that need no library: log, data, checkpoints, failures."""

import errno
import io
import os
import sys
import time
import unicodedata
import zipfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.trainer_driver import draw_dataset
from training.messages import MAX_LOG_TEXT, Data, ProtocolError
from training.trainer_checkpoints import CheckpointFolder, is_whole
from training.trainer_data import check_folder, write_data_yaml
from training.trainer_failures import Failure, explain
from training.trainer_log import LINES_PER_SECOND, LogSink, LogStream, clean


@pytest.fixture
def said():
    return []


@pytest.fixture
def sink(said):
    return LogSink(lambda level, text: said.append((level, text)))


class TestLog:
    @pytest.mark.parametrize(
        ("raw", "lines"),
        [
            ("\x1b[1mbold\x1b[0m and \x1b]0;title\x07plain", ["bold and plain"]),
            ("10%\r50%\r\x1b[K100% done", ["100% done"]),
            ("a\r\n\n   \nb\n", ["a", "b"]),
            ("tab\tstays, bell\x07 goes, \u202eturned\u202c", ["tab\tstays, bell goes, turned"]),
            ("dấu tiếng Việt ✅", ["dấu tiếng Việt ✅"]),
            ("<img onerror=1>", ["<img onerror=1>"]),
        ],
    )
    def test_lines_are_cleaned(self, raw, lines):
        assert list(clean(raw)) == lines

    def test_a_long_line_is_cut_between_letters(self):
        pieces = list(clean("ế" * 10_000))
        assert "".join(pieces) == "ế" * 10_000
        assert all(len(piece.encode()) <= MAX_LOG_TEXT for piece in pieces)

    @settings(deadline=None)
    @given(st.text())
    def test_nothing_that_steers_a_terminal_is_left(self, text):
        for line in clean(text):
            kinds = {unicodedata.category(letter) for letter in line if letter != "\t"}
            assert not kinds & {"Cc", "Cs", "Zl", "Zp"}

    @pytest.mark.parametrize("text", ["\x1b[" * 50_000, "\x1b]" * 50_000, "://a:" * 20_000])
    def test_hostile_text_takes_no_time(self, sink, text):
        began = time.process_time()
        sink.add("info", text)
        assert time.process_time() - began < 0.5

    def test_paths_and_credentials_do_not_show(self, sink, said):
        sink.shorten({"/srv/jobs/17": "", "/srv/jobs/17/data": "data", "/opt/py": "python"})
        sink.add("info", "saved to /srv/jobs/17/run, read /srv/jobs/17/data/images in /srv/jobs/17")
        sink.add("info", "/opt/py/lib at https://user:secret@host/x")
        assert [text for _level, text in said] == [
            "saved to run, read data/images in .",
            "python/lib at https://host/x",
        ]

    def test_a_flood_is_cut_and_counted(self, sink, said):
        for number in range(1000):
            sink.add("info", f"line {number}")
        sink.flush()
        assert len(said) == LINES_PER_SECOND + 1
        assert said[-1] == ("warning", f"{1000 - LINES_PER_SECOND} lines skipped")

    def test_a_stream_gives_whole_lines_and_the_last_state_of_a_bar(self, sink, said):
        moved = []
        sink.on_bar = lambda done, total: moved.append((done, total))
        stream = LogStream(sink, "info", sys.__stdout__)
        stream.write("half a ")
        stream.write("line\nrest")
        stream.progress(1, "\r\x1b[Kscan: 50% ━━── 12/24 3it/s")
        stream.progress(1, "\r\x1b[Kscan: 100% ━━━━ 24/24 3it/s")
        stream.progress(1, "")
        stream.write("\n")
        texts = [text for _level, text in said]
        assert texts == ["half a line", "scan: 100% ━━━━ 24/24 3it/s", "rest"]
        assert moved == [(12, 24), (24, 24)]

    def test_a_forked_child_does_not_speak_for_the_trainer(self, sink, said):
        original = io.StringIO()
        stream = LogStream(sink, "info", original)
        stream._pid = os.getpid() + 1
        stream.write("from a child\n")
        assert said == []
        assert original.getvalue() == "from a child\n"


class TestData:
    @pytest.fixture
    def data(self, tmp_path):
        return draw_dataset(tmp_path / "data", train=2, val=1)

    def test_a_folder_of_ours_passes(self, data):
        check_folder(data)

    @pytest.mark.parametrize(
        "foreign",
        [
            "labels/train.cache", "labels/val.cache", "images/train.cache", "images/val.cache",
            "labels/test.cache", "labels/train/labels.cache", "labels/val/labels.cache",
            "images/train/train.cache", "images/val/val.cache", "images/train/000.npy",
            "images/val/000.npy", "labels/train/000.npy", "labels/train/.cache",
            "images/train/000.tif", "labels/train/deep/000.txt",
        ],
    )  # fmt: skip
    def test_anything_foreign_that_the_library_might_open_is_refused(self, data, foreign):
        path = data / foreign
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        with pytest.raises(Failure) as failure:
            check_folder(data)
        assert failure.value.code == "data_error"

    @pytest.mark.parametrize("split", ["train", "val"])
    def test_an_empty_set_is_refused(self, data, split):
        for picture in (data / "images" / split).iterdir():
            picture.unlink()
        with pytest.raises(Failure, match=split):
            check_folder(data)

    def test_a_missing_folder_is_refused(self, data):
        (data / "labels/val/000.txt").unlink()
        (data / "labels/val").rmdir()
        with pytest.raises(Failure, match="missing"):
            check_folder(data)

    @given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
    @settings(deadline=None)
    def test_data_yaml_says_exactly_what_we_say(self, tmp_path_factory, names):
        target = tmp_path_factory.mktemp("yaml") / "data.yaml"
        names = [name.encode("utf-8", "replace").decode() for name in names]
        write_data_yaml(Data(root="/data", names=names), target)
        assert yaml.safe_load(target.read_text()) == {
            "path": "/data",
            "train": "images/train",
            "val": "images/val",
            "nc": len(names),
            "names": names,
        }


class TestCheckpoints:
    @pytest.fixture
    def saved(self, tmp_path):
        path = tmp_path / "last.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("last/data.pkl", os.urandom(50_000))
        return path

    def test_a_copy_does_not_change_with_its_source(self, tmp_path, saved):
        content = saved.read_bytes()
        last, best = CheckpointFolder(tmp_path / "c").commit(3, saved, is_best=True)
        saved.write_bytes(b"overwritten in place")
        assert best is not None
        assert Path(last["path"]).read_bytes() == Path(best["path"]).read_bytes() == content
        assert (Path(last["path"]).name, Path(best["path"]).name) == ("3-last.pt", "3-best.pt")

    def test_the_receiver_may_delete_one_name_and_keep_the_other(self, tmp_path, saved):
        last, best = CheckpointFolder(tmp_path / "c").commit(1, saved, is_best=True)
        Path(last["path"]).unlink()
        assert best is not None
        assert is_whole(Path(best["path"]))

    def test_half_copies_of_an_earlier_attempt_go(self, tmp_path, saved):
        (tmp_path / "c").mkdir()
        (tmp_path / "c/1-last.pt.part").write_bytes(b"half")
        CheckpointFolder(tmp_path / "c").commit(1, saved, is_best=False)
        assert [path.name for path in (tmp_path / "c").iterdir()] == ["1-last.pt"]

    @settings(deadline=None, max_examples=50)
    @given(st.integers(0, 49_000))
    def test_any_cut_is_seen(self, tmp_path_factory, length):
        path = tmp_path_factory.mktemp("cut") / "cut.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("last/data.pkl", bytes(50_000))
        assert is_whole(path)
        path.write_bytes(path.read_bytes()[:length])
        assert not is_whole(path)

    def test_a_missing_file_is_not_whole(self, tmp_path):
        assert not is_whole(tmp_path / "nothing.pt")


LOADER = "DataLoader worker (pid 7) is killed by signal:"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "out_of_memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "host_out_of_memory"),
        (MemoryError(), "host_out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (RuntimeError("PytorchStreamWriter failed writing file data/3"), "disk_full"),
        (caused(RuntimeError("x"), OSError(errno.ENOSPC, "No space left")), "disk_full"),
        (RuntimeError("Training failed: NaN persisted for 4 epochs"), "diverged"),
        (RuntimeError("Checkpoint last.pt is corrupted with NaN/Inf weights"), "diverged"),
        (RuntimeError(f"{LOADER} Bus error. out of shared memory"), "shared_memory_full"),
        (RuntimeError(f"{LOADER} Killed."), "host_out_of_memory"),
        (OSError(errno.EMFILE, "Too many open files"), "shared_memory_full"),
        (RuntimeError("received 0 items of ancdata"), "shared_memory_full"),
        (RuntimeError("CUDA error: unknown error"), "device_failed"),
        (ProtocolError("Options unknown: ['project']"), "bad_spec"),
        (Failure("data_error", "no pictures"), "data_error"),
        (KeyError("surprise"), "internal"),
        (ValueError("NaN is a word in this message"), "internal"),
    ],
)  # fmt: skip
def test_what_goes_wrong_has_a_code(error, code):
    failure = explain(error)
    assert failure.code == code
    assert failure.detail
