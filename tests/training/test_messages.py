"""The language between supervisor and trainer."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.messages import PROTOCOL, Data, ProtocolError, Resume, Spec
from training.wire import MAX_LINE, LineReader, encode


def spec(**changes):
    values = {
        "data": Data(root="/data", names=["bánh", "kẹo"]),
        "base_model": "yolo26n-scratch",
        "weights": None,
        "options": {"epochs": 3},
        "work_dir": "/work_dir",
    }
    return Spec(**{**values, **changes})


def read(data: bytes):
    return list(LineReader().feed(data))


@pytest.mark.parametrize("resume", [None, Resume(last="/a.pt", best="/b.pt", epoch=4)])
def test_a_spec_survives_the_wire(resume):
    sent = spec(resume=resume, weights="/w/yolo11n.pt")
    (message,) = read(encode(sent.as_message()))
    assert Spec.from_message(message) == sent


@pytest.mark.parametrize(
    "change",
    [
        {"version": PROTOCOL + 1},
        {"work_dir": "relative"},
        {"weights": "yolo11n.pt"},
        {"weights": 5},
        {"data": {"root": "/data"}},
        {"data": {"root": "/data", "names": []}},
        {"data": {"root": "/data", "names": "ab"}},
        {"options": []},
        {"loader_workers": 999},
        {"loader_workers": True},
        {"loader_workers": -2},
        {"unstored_seconds": -1},
        {"unstored_seconds": "60"},
        {"unstored_seconds": float("nan")},
        {"resume": {"last": "x.pt", "best": None, "epoch": 1}},
        {"cfg": "/etc/passwd"},
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(change):
    with pytest.raises(ProtocolError):
        Spec.from_message({**spec().as_message(), **change})


def test_numbers_that_are_not_finite_become_null():
    line = encode({"type": "epoch", "val": {"map50": float("nan")}, "all": [float("inf"), 1.5]})
    assert json.loads(line) == {"type": "epoch", "val": {"map50": None}, "all": [None, 1.5]}


@settings(deadline=None)
@given(st.lists(st.text(max_size=50), max_size=5), st.integers(1, 40))
def test_lines_are_found_however_the_bytes_are_cut(texts, size):
    data = b"".join(encode({"type": "log", "text": text}) for text in texts)
    reader = LineReader()
    heard = [m for at in range(0, len(data), size) for m in reader.feed(data[at : at + size])]
    assert [message["text"] for message in heard] == [
        t.encode("utf-8", "replace").decode() for t in texts
    ]


@pytest.mark.parametrize(
    "line", [b"no json\n", b"[1]\n", b'{"type": 1}\n', b"\xff\xfe\n", b"[" * 200_000 + b"\n"]
)
def test_a_line_that_is_no_message_is_refused(line):
    with pytest.raises(ProtocolError):
        read(line)


def test_a_line_without_end_is_not_held_in_memory():
    reader = LineReader()
    with pytest.raises(ProtocolError):
        for _ in range(MAX_LINE // 65_536 + 2):
            list(reader.feed(b"x" * 65_536))


def test_too_long_a_message_is_not_sent():
    with pytest.raises(ProtocolError):
        encode({"type": "log", "text": "x" * MAX_LINE})
