"""`make bench` ends with one table of the figures that its benchmarks recorded."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as bench
from benchmarks import demo, figures, start
from benchmarks.figures import Figure, at_least, at_most
from samples.demo_settings import TRAINING
from samples.table import render_table

_PLAIN = [Figure("the API, seen by a client", "114.8 ms"), Figure("kinds of pages", "163")]
_JUDGED = [
    Figure("heavy libraries in it", "none", "none", True),
    at_most("added", 24.94, 30.0, "ms", 1),
    at_most("ratio of wall times", 1.2, 1.05, "", 3),
]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("measured", [[*_PLAIN, *_JUDGED], _PLAIN, _JUDGED])
def test_figures_are_read_as_they_were_recorded(results: Path, measured: list[Figure]) -> None:
    figures.run("web", lambda: measured)

    assert figures.recorded("web") == [
        (figure.what, figure.value, figure.target, figures.verdict(figure)) for figure in measured
    ]


@pytest.mark.parametrize(
    "record", sorted(figures.RESULTS.glob("*.txt")), ids=lambda path: path.stem
)
def test_what_is_committed_can_be_read(record: Path) -> None:
    rows = figures.recorded(record.stem)

    assert len(rows) >= 2 and all(what and value for what, value, _, _ in rows)
    assert {verdict for *_, verdict in rows} <= {"", "met"}
    assert record.stem in bench._ALL


def test_all_figures_are_in_one_table_and_none_is_of_another_time(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "web.txt").write_text("of last year")

    def measure(command: list[str], **_: Any) -> "subprocess.CompletedProcess[bytes]":
        name = command[-1].removeprefix("benchmarks.")
        status = 1 if name == "web" else figures.run(name, lambda: _JUDGED[:2])
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(bench.subprocess, "run", measure)

    assert bench.main() == 1

    table = capsys.readouterr().out.rpartition("\n\n")[2].splitlines()
    names = [line.split("  ")[0] for line in table[2:]]
    assert names == [name for name in bench._ALL for _ in range(1 if name == "web" else 2)]
    assert table[3].split() == ["up", "added", "24.9", "ms", "<=", "30", "ms", "met"]
    missed = table[2 + names.index("web")]
    assert missed.split() == ["web", "did", "not", "finish", "MISSED"]


def said_by_the_demo(map50: str) -> str:
    steps = [
        ("train from scratch", "203.4 s", "32 epochs, best mAP50 0.914"),
        ("evaluate", "3.1 s", f"mAP50 {map50}, mAP50-95 0.655"),
        ("detect on unseen pictures", "1.2 s", "12 pictures, 118 of 120 things"),
        ("total", "214.0 s", ""),
    ]
    counts = [("lon bia", 60, 58, "-2")]
    table = render_table(("step", "time", "result"), steps)
    return f"== evaluate\n\n{table}\n\n{render_table(('class', 'true', '', ''), counts)}\n\nOpen"


@pytest.mark.parametrize(
    ("map50", "seconds", "verdicts"),
    [
        ("0.912", 359.0, ["met", "met"]),
        ("0.912", 361.0, ["MISSED", "met"]),
        ("0.599", 359.0, ["met", "MISSED"]),
    ],
)
def test_the_demo_is_judged_by_its_own_table(
    map50: str, seconds: float, verdicts: list[str]
) -> None:
    judged = demo.figures_of(said_by_the_demo(map50), seconds)

    assert [figures.verdict(f) for f in judged if f.target] == verdicts
    assert ("step: train from scratch", "203.4 s") in [(f.what, f.value) for f in judged]


def test_what_must_not_fall_below_a_limit() -> None:
    assert at_least("times faster", 10.0, 10.0, digits=1) == Figure(
        "times faster", "10.0", ">= 10", True
    )
    assert at_least("mAP50", 0.599, 0.6).is_met is False


def test_the_trainers_first_line_is_known_by_its_words() -> None:
    from training.trainer import _announce

    class Log:
        said: str

        def add(self, _: str, text: str) -> None:
            self.said = text

    class Spec:
        resume, base_model, options = None, TRAINING["base_model"], TRAINING

    log: Any = Log()
    spec: Any = Spec()
    _announce(spec, log)

    assert start._is_of_the_trainer({"type": "log", "text": log.said})
    assert not start._is_of_the_trainer({"type": "log", "text": "Starting the trainer."})
    assert not start._is_of_the_trainer({"type": "progress", "phase": "train"})
