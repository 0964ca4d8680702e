"""A line of a megabyte on its way from a trainer to the rows: bounded, whole and readable."""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.reporter import Reporter
from projects.models import Project
from tests import factories
from tests.training.told import claimed
from training.messages import MAX_LOG_TEXT
from training.supervisor import _Attempt
from training.trainer_log import LogSink, LogStream
from training.wire import LineReader, encode

MEGABYTE = 1_048_576
#: What a library prints in colours, with a bell, a title of the window and bytes of nothing.
PRINTED = "\x1b[1;31mđỏ\x1b[0m \x07bell \x00nul \x1b]0;a title\x07tail \x1b[38;5;12mblue\x1b[0m "
READ = "đỏ bell nul tail blue "


def a_megabyte(of: str) -> str:
    """Return a line of exactly a megabyte."""
    times, rest = divmod(MEGABYTE, len(of))
    line = of * times + "." * rest
    assert len(line) == MEGABYTE == 1 << 20
    return line


def letters(text: str) -> str:
    """Return a text without its spaces: where a line is cut, one may go."""
    return text.replace(" ", "")


def wanted(of: str, read: str) -> str:
    times, rest = divmod(MEGABYTE, len(of))
    return letters(read * times + "." * rest)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def sink(said: list[str]) -> LogSink:
    return LogSink(lambda level, text: said.append(text))


class TestInTheTrainer:
    def test_it_is_cut_into_pieces_without_anything_that_steers_a_terminal(
        self, sink: LogSink, said: list[str]
    ) -> None:
        began = time.process_time()
        sink.add("info", a_megabyte(PRINTED))
        assert time.process_time() - began < 1.0
        assert letters("".join(said)) == wanted(PRINTED, READ)
        assert all(len(piece.encode()) <= MAX_LOG_TEXT for piece in said)

    @pytest.mark.parametrize("step", [7, 1000, 8192, 65_536])
    def test_it_comes_in_pieces_that_end_anywhere(
        self, sink: LogSink, said: list[str], step: int
    ) -> None:
        """Within a colour, too: half of its code would be read as text."""
        stream, line = LogStream(sink, "info", io.StringIO()), a_megabyte(PRINTED)
        began = time.process_time()
        for start in range(0, MEGABYTE, step):
            stream.write(line[start : start + step])
        stream.write("\n")
        assert time.process_time() - began < 2.0
        assert letters("".join(said)) == wanted(PRINTED, READ)
        assert all(len(piece.encode()) <= MAX_LOG_TEXT for piece in said)

    @pytest.mark.parametrize("step", [7, 1000, 65_536])
    def test_no_password_shows_where_it_is_cut(
        self, sink: LogSink, said: list[str], step: int
    ) -> None:
        stream, line = LogStream(sink, "info", io.StringIO()), a_megabyte("s3://me:CANARY@host/x ")
        for start in range(0, MEGABYTE, step):
            stream.write(line[start : start + step])
        stream.write("\n")
        assert "CANARY" not in "".join(said)
        assert "".join(said).count("s3://host/x") > 40_000

    @pytest.mark.parametrize("filling", ["x", "\x1b", "\x1b[", "\x1b]", "\x00", "\r", "ế", " "])
    def test_whatever_it_is_full_of_it_takes_no_time(
        self, sink: LogSink, said: list[str], filling: str
    ) -> None:
        stream, line = LogStream(sink, "info", io.StringIO()), a_megabyte(filling)
        began = time.process_time()
        for start in range(0, MEGABYTE, 4096):
            stream.write(line[start : start + 4096])
        stream.write("\n")
        sink.add("info", line)
        assert time.process_time() - began < 3.0
        assert all(len(piece.encode()) <= MAX_LOG_TEXT for piece in said)


@pytest.mark.django_db
class TestOnItsWay:
    @pytest.fixture
    def attempt(self, project: Project, tmp_path: Path) -> _Attempt:
        factories.make_run(project, options={"epochs": 10})
        run = claimed()
        return _Attempt(run, Reporter(run), tmp_path)

    @pytest.fixture
    def say(self, attempt: _Attempt) -> Callable[[Any, str], None]:
        """Say something as the trainer does, over the wire."""
        reader = LineReader()

        def say(level: Any, text: str) -> None:
            for message in reader.feed(encode({"type": "log", "level": level, "text": text})):
                attempt._hear(message)

        return say

    def told(self, attempt: _Attempt) -> list[str]:
        attempt.reporter.flush(is_last=True)
        attempt.run.refresh_from_db()
        events = list(attempt.run.events.order_by("seq"))
        assert [event.seq for event in events] == list(range(1, attempt.run.last_seq + 1))
        return [event.payload["text"] for event in events if event.type == "log"]

    def test_from_the_output_to_the_rows_nothing_is_lost(
        self, attempt: _Attempt, say: Callable[[Any, str], None]
    ) -> None:
        stream = LogStream(LogSink(say), "info", io.StringIO())
        stream.write(a_megabyte(PRINTED) + "\n")
        stream.write("the next line\n")
        lines = self.told(attempt)
        assert lines[-1] == "the next line"
        assert letters("".join(lines[:-1])) == wanted(PRINTED, READ)
        assert max(len(line) for line in lines) <= MAX_LOG_TEXT

    def test_a_trainer_that_cuts_nothing_is_cut_by_its_supervisor(self, attempt: _Attempt) -> None:
        """The reporter takes it as it is: as from a job that has no trainer."""
        printed, read = "\x1b[31mđỏ\x1b[0m\x00 \x07bell\x9b ", "đỏ bell "
        began = time.process_time()
        attempt.reporter.log(a_megabyte(printed))
        assert time.process_time() - began < 3.0
        lines = self.told(attempt)
        assert "".join(lines) == read * (MEGABYTE // len(printed)) + "." * (MEGABYTE % len(printed))
        assert max(len(line) for line in lines) == MAX_LOG_TEXT
