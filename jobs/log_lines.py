"""What becomes of text on its way into a job's log: clean lines, no secrets, no flood."""

import re
import time
from collections import deque

from django.utils.translation import gettext as _

from jobs.frames import Frame, plain_text
from jobs.models import JobEvent

_MAX_LINE = 8_192
#: Lines a second that a job may write for long, and at once after it was quiet.
_RATE = 200.0
_BURST = 2_000
_REOPEN = 100
#: Characters that one attempt may write; behind them only the last lines are kept.
_CAPACITY = 20_000_000
_TAIL = 200
#: Escape sequences of terminals, and control characters other than tab.
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_LINE_ENDS = re.compile(r"\r\n|\n|\r")
_SECRETS = (
    (re.compile(r"(://)[^/\s:@]{1,200}:[^/\s@]{1,200}@"), r"\1***@"),
    (re.compile(r"(?i)\b(bearer\s+|training-key[\"']?\s*[:=]\s*[\"']?)[^\s\"']{6,}"), r"\1***"),
    (
        re.compile(
            r"(?i)\b((?:api|secret|access)[_-]?key|password)([\"']?\s*[:=]\s*[\"']?)[^\s\"']+"
        ),
        r"\1\2***",
    ),
)


def clean_lines(text: str) -> list[str]:
    """Return text as lines of bounded length, without control characters and known secrets."""
    lines = []
    for line in _LINE_ENDS.split(plain_text(text)):
        clean = _UNPRINTABLE.sub("", line)
        for pattern, replacement in _SECRETS:
            clean = pattern.sub(replacement, clean)
        lines += [clean[i : i + _MAX_LINE] for i in range(0, len(clean), _MAX_LINE)] or [""]
    return lines


class LineGate:
    """Lets lines through at a bounded rate and up to a bounded sum; not safe in threads."""

    def __init__(self) -> None:
        self._credit = float(_BURST)
        self._credited_at = time.monotonic()
        self._left = _CAPACITY
        self._skipped = 0
        self._is_shut = False
        self._tail: deque[Frame] = deque(maxlen=_TAIL)

    def admit(self, frame: Frame) -> list[Frame]:
        """Return what may be written now: nothing, the line, or a note on what was skipped too."""
        now = time.monotonic()
        self._credit = min(_BURST, self._credit + (now - self._credited_at) * _RATE)
        self._credited_at = now
        if self._left <= 0:
            self._skipped += len(self._tail) == _TAIL
            self._tail.append(frame)
            return []
        # Once shut it stays so for a while: whole passages with a note between them, not a note
        # before every line.
        self._is_shut = self._credit < (_REOPEN if self._is_shut else 1)
        if self._is_shut:
            self._skipped += 1
            return []
        self._credit -= 1
        self._left -= len(frame.payload["text"])
        return [*self._note(frame), frame]

    def last(self) -> list[Frame]:
        """Return what there is still to say: how much was skipped, and the last lines."""
        lines = [*self._note(self._tail[0] if self._tail else None), *self._tail]
        self._tail.clear()
        return lines

    def _note(self, before: Frame | None) -> list[Frame]:
        if not self._skipped:
            return []
        text = _("%(count)d lines skipped") % {"count": self._skipped}
        self._skipped = 0
        return [Frame(JobEvent.Type.LOG, {"level": "warning", "text": text}, before and before.at)]
