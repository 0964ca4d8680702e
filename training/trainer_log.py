"""What the training library prints, as clean log messages a person can read.

Progress bars shrink to their last state, terminal codes go, paths of this host become short, and
a flood is cut to a bearable rate.
"""

import io
import logging
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import IO

from training.messages import MAX_LOG_TEXT, Level

LINES_PER_SECOND = 200

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
#: Control characters but tab and newline, and marks that reverse or hide text.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_CREDENTIALS = re.compile(r"://[^/\s:@]{1,200}:[^/\s@]{1,200}@")
_BAR = re.compile(r"%\s+\S+\s+(\d+)/(\d+)\s")


def clean(text: str) -> Iterator[str]:
    """Yield the readable lines of a text that are not empty, each at most MAX_LOG_TEXT bytes."""
    for line in text.split("\n"):
        # Of a line that was written over and over, the last state counts.
        shown = next((part for part in reversed(line.split("\r")) if part.strip()), "")
        shown = _CONTROL.sub("", _TERMINAL.sub("", shown)).rstrip()
        if shown.strip():
            yield from _pieces(shown)


def _pieces(line: str) -> Iterator[str]:
    data = line.encode()
    while len(data) > MAX_LOG_TEXT:
        cut = MAX_LOG_TEXT
        while data[cut] & 0xC0 == 0x80:
            cut -= 1
        yield data[:cut].decode()
        data = data[cut:]
    yield data.decode()


def _cut(text: str) -> int:
    """Return where a line that has no end yet may be cut: not within a word or a terminal code.

    Half of one would be taken for text, and half of an address with a password is not known as one.
    """
    least = MAX_LOG_TEXT // 2
    cut = text.rfind(" ", least) + 1 or len(text)
    code = text.rfind("\x1b", least, cut)
    if code < 0:
        return cut
    whole = _TERMINAL.match(text, code, cut)
    return cut if whole and whole.end() < cut else code


class LogSink:
    """Takes text from everywhere in the trainer and says it line by line.

    Args:
        say: called with level and line, from any thread, one at a time.
        on_bar: called with done and total when a progress bar moves.
    """

    def __init__(
        self,
        say: Callable[[Level, str], None],
        on_bar: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._say = say
        self.on_bar = on_bar
        self._lock = threading.RLock()
        self._names: list[tuple[str, str]] = []
        self._window = 0.0
        self._count = 0
        self._skipped = 0

    def shorten(self, names: dict[str, str]) -> None:
        """Replace paths of this host by names that mean something to a reader."""
        found = [(path.rstrip("/"), name) for path, name in names.items() if len(path) > 1]
        self._names = sorted(found, key=lambda pair: -len(pair[0]))

    def readable(self, text: str) -> str:
        """Return a text without paths of this host and without credentials."""
        for path, name in self._names:
            text = text.replace(f"{path}/", f"{name}/" if name else "").replace(path, name or ".")
        return _CREDENTIALS.sub("://", text)

    def add(self, level: Level, text: str) -> None:
        """Say the lines of a text."""
        with self._lock:
            for line in clean(self.readable(text)):
                if self._may_speak():
                    self._say(level, line)

    def flush(self) -> None:
        """Say how many lines were skipped, if any."""
        with self._lock:
            if self._skipped:
                self._say("warning", f"{self._skipped} lines skipped")
                self._skipped = 0

    def _may_speak(self) -> bool:
        now = time.monotonic()
        if now - self._window >= 1.0:
            self._window, self._count = now, 0
            self.flush()
        self._count += 1
        if self._count > LINES_PER_SECOND:
            self._skipped += 1
            return False
        return True


class LogStream(io.TextIOBase):
    """Stands in for stdout or stderr; a forked child writes to the real one instead."""

    encoding = "utf-8"

    def __init__(self, sink: LogSink, level: Level, original: IO[str]) -> None:
        self._sink = sink
        self._level = level
        self._original = original
        self._pid = os.getpid()
        self._partial = ""
        self._bars: dict[int, str] = {}

    def writable(self) -> bool:
        """Say that this is a stream to write to."""
        return True

    def fileno(self) -> int:
        """Return the real stream's number, for libraries that write past Python."""
        return self._original.fileno()

    def write(self, text: str) -> int:
        """Take text; what has no end of line yet waits for it."""
        if os.getpid() != self._pid:
            return self._original.write(text)
        lines, newline, self._partial = (self._partial + text).rpartition("\n")
        if newline:
            self._sink.add(self._level, lines)
        while len(self._partial) > MAX_LOG_TEXT:
            cut = _cut(self._partial)
            self._sink.add(self._level, self._partial[:cut])
            self._partial = self._partial[cut:]
        return len(text)

    def progress(self, bar: int, frame: str) -> None:
        """Take a state of a progress bar (the library calls this); the last one becomes a line."""
        if frame:
            self._bars[bar] = frame
            if found := _BAR.search(frame):
                self._sink.on_bar(int(found[1]), int(found[2]))
        elif last := self._bars.pop(bar, ""):
            self._sink.add(self._level, last)


class LogHandler(logging.Handler):
    """Passes records of a logger on with their level."""

    def __init__(self, sink: LogSink) -> None:
        super().__init__()
        self._sink = sink
        self._pid = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record; in a forked child there is nobody to say it to."""
        if os.getpid() == self._pid:
            self._sink.add(_level(record.levelno), self.format(record))


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def capture(sink: LogSink) -> None:
    """Send all that Python prints in this process to the sink, for good."""
    sys.stdout = LogStream(sink, "info", sys.__stdout__ or sys.stdout)
    sys.stderr = LogStream(sink, "warning", sys.__stderr__ or sys.stderr)
    logging.captureWarnings(True)
    # An emoji in the name of a class is drawn as a box; that is nobody's concern.
    warnings.filterwarnings("ignore", "Glyph .* missing")
    logging.getLogger("py.warnings").addHandler(LogHandler(sink))


def capture_library_logger(sink: LogSink) -> None:
    """Give the training library's logger our handler in place of its own."""
    logger = logging.getLogger("ultralytics")
    logger.handlers = [LogHandler(sink)]
    logger.propagate = False
