"""How messages go over a connection: one JSON object a line, and nothing too long.

Nothing here imports Django, torch or ultralytics: both ends share it.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from training.messages import Message, ProtocolError

MAX_LINE = 1 << 20
"""Bytes a line may have; a longer one ends the conversation."""


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message as one line; numbers that are not finite become null.

    Raises:
        ProtocolError: the line would be longer than MAX_LINE.
    """
    try:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(message), ensure_ascii=False, separators=(",", ":"))
    line = text.encode("utf-8", "replace") + b"\n"
    if len(line) > MAX_LINE:
        raise ProtocolError(f"A message of {len(line)} bytes is too long.")
    return line


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class LineReader:
    """Turns bytes, however they are cut, into messages; never holds more than MAX_LINE bytes."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are complete now.

        Raises:
            ProtocolError: a line is too long or is not a JSON object with a `type` or `version`.
        """
        self._rest += data
        while (end := self._rest.find(b"\n")) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            yield _decode(line)
        if len(self._rest) > MAX_LINE:
            raise ProtocolError("A line is too long.")


def _decode(line: bytes) -> Message:
    if len(line) > MAX_LINE:
        raise ProtocolError("A line is too long.")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("A line is not JSON.") from error
    if not isinstance(message, dict) or not isinstance(message.get("type", ""), str):
        raise ProtocolError("A line is not a message.")
    return message
