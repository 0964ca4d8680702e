"""Frames as they go over a WebSocket: encoded once, and shared by all sockets that send them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils import translation

from jobs.serializers import shown

#: Sent at once at most: what a socket may have on its way while its reader is slow.
BATCH_BYTES = 32_768
#: ASGI event of a server that takes many messages at once (`cvtrainer_site/sockets.py`).
MANY = "cvtrainer.websocket.many"
_FIN_TEXT = 0x81


@dataclass(frozen=True)
class Entry:
    """One frame of a story: its number, and its text, or what becomes text in each language."""

    seq: int
    text: bytes | dict[str, Any]
    #: Where the frame tells a new status.
    status: str | None = None

    @classmethod
    def of(cls, frame: dict[str, Any]) -> "Entry":
        """Encode a frame; one that tells an error waits for its reader's language."""
        text = frame if frame.get("error") else _encode(frame)
        return cls(frame["seq"], text, frame["status"] if frame["type"] == "status" else None)

    @property
    def size(self) -> int:
        """How many bytes it holds, about."""
        return len(self.text) if isinstance(self.text, bytes) else 1_000

    def said(self, language: str) -> bytes:
        """Return the text of one message."""
        if isinstance(self.text, bytes):
            return self.text
        with translation.override(language):
            return _encode(shown(self.text))


@dataclass(frozen=True)
class Batch:
    """Messages in order, to be sent one after the other."""

    last: int
    texts: tuple[bytes, ...]

    @cached_property
    def wire(self) -> bytes:
        """The same as bytes of the WebSocket protocol: a server's messages are not masked."""
        return b"".join(part for text in self.texts for part in (_head(len(text)), text))


def first_batch(entries: Iterable[Entry], language: str) -> Batch:
    """Return the first of the entries, as many as may be sent at once; one at least."""
    texts: list[bytes] = []
    size = last = 0
    for entry in entries:
        text = entry.said(language)
        size += len(text)
        if texts and size > BATCH_BYTES:
            break
        texts.append(text)
        last = entry.seq
    return Batch(last, tuple(texts))


def _encode(frame: dict[str, Any]) -> bytes:
    return json.dumps(frame, ensure_ascii=False).encode()


def _head(length: int) -> bytes:
    """Return the head of an unmasked message in one part (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((_FIN_TEXT, length))
    if length < 1 << 16:
        return bytes((_FIN_TEXT, 126)) + length.to_bytes(2, "big")
    return bytes((_FIN_TEXT, 127)) + length.to_bytes(8, "big")
