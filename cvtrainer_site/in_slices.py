"""Hands the body of an upload on in slices: each is safely kept before the next one is read.

Django writes a body to the disk, whole, before it looks at who sends it. Here a piece of any size
is many small ones to it: each is a request with the headers of the whole, so that each is
authorised, appended and counted as any other. A kill costs less than a slice, and a connection that
breaks costs nothing.
"""

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

Scope = dict[str, Any]
Message = dict[str, Any]
Headers = list[tuple[bytes, bytes]]

#: As large as the pieces that the pages send, so that those stay single requests.
SLICE = 16 * 1024 * 1024
_UPLOADS = "/api/v1/uploads/"
_UPLOAD = re.compile(rf"{_UPLOADS}[^/]+$")
_BYTES = b"application/offset+octet-stream"
_CREATED, _APPENDED = 201, 204
#: What the answer to the whole takes from that to its last slice.
_LATEST = (b"upload-offset", b"upload-expires")


class InSlices:
    """An ASGI application around Django's."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on; one that brings bytes of an upload in slices, with one answer."""
        if not _brings_bytes(scope):
            await self.application(scope, receive, send)
            return
        body = _Body(receive, _header(scope["headers"], b"content-length"))
        answer = await self._pass_on(scope, body)
        if body.is_broken:  # nobody hears it
            return
        for message in answer.messages:
            await send(message)

    async def _pass_on(self, scope: Scope, body: "_Body") -> "_Answer":
        """Pass slices on until the body ends or one is refused; return the answer to all."""
        first = last = await self._slice(scope, body)
        while last.is_good and not body.is_over:
            last = await self._slice(_next(scope, first, last, body.left), body)
            if last.is_good or first.status == _CREATED:
                first.take_state(last)
            else:
                return last
        return first

    async def _slice(self, scope: Scope, body: "_Body") -> "_Answer":
        answer = _Answer()
        body.begin_slice()
        await self.application(scope, body, answer)
        return answer


class _Body:
    """Hands the parts of a body on, and says at the end of each slice that it is over."""

    def __init__(self, receive: Any, declared: bytes) -> None:
        self._receive = receive
        self.left = int(declared) if declared.isdigit() else None
        self.is_over = self.left == 0
        self.is_broken = False
        self._has_ended = False
        self._rest = b""
        self._room = 0

    def begin_slice(self) -> None:
        """Let the next parts through."""
        self._room = SLICE

    async def __call__(self) -> Message:
        if not self._room:
            # Django listens for who hangs up, and would drop the work that is to be done.
            await asyncio.Event().wait()
        part = self._rest or await self._read()
        part, self._rest = part[: self._room], part[self._room :]
        self._room -= len(part)
        if self.left is not None:
            self.left -= len(part)
        # Where the length is known, no empty slice follows the last byte.
        self.is_over = self.left == 0 or (self._has_ended and not self._rest)
        if self.is_over:
            self._room = 0
        return {"type": "http.request", "body": part, "more_body": self._room > 0}

    async def _read(self) -> bytes:
        message: Message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_broken = self._has_ended = True
            return b""
        self._has_ended = not message.get("more_body", False)
        return bytes(message.get("body", b""))


class _Answer:
    """What Django answers to a slice; it is small."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        """The status, 0 where there was no answer."""
        return int(self.messages[0]["status"]) if self.messages else 0

    @property
    def is_good(self) -> bool:
        """Whether the bytes were kept."""
        return self.status in {_CREATED, _APPENDED}

    @property
    def headers(self) -> Headers:
        """The headers, with names in small letters."""
        raw = self.messages[0]["headers"] if self.messages else ()
        return [(bytes(name).lower(), bytes(value)) for name, value in raw]

    def take_state(self, last: "_Answer") -> None:
        """Say how far the upload is after the last slice that was kept."""
        if last.is_good:
            news = {name: _header(last.headers, name) for name in _LATEST}
            headers = [(name, news.get(name, value)) for name, value in self.headers]
            self.messages[0] = {**self.messages[0], "headers": headers}


def _brings_bytes(scope: Scope) -> bool:
    path, method = scope["path"], scope["method"]
    if method == "POST":
        return path == _UPLOADS and _header(scope["headers"], b"content-type") == _BYTES
    return method == "PATCH" and bool(_UPLOAD.match(path))


def _next(scope: Scope, first: _Answer, last: _Answer, left: int | None) -> Scope:
    """Return the request of the next slice: a piece that begins where the last one ended."""
    changed = {b"upload-offset": _header(last.headers, b"upload-offset")}
    if left is not None:
        changed[b"content-length"] = str(left).encode()
    kept = [(name, value) for name, value in scope["headers"] if name not in changed]
    location = _header(first.headers, b"location").decode("latin-1")
    path = urlsplit(location).path or scope["path"]
    return {
        **scope,
        "method": "PATCH",
        "path": path,
        "raw_path": path.encode(),
        "headers": [*kept, *changed.items()],
    }


def _header(headers: Any, name: bytes) -> bytes:
    return next((bytes(value) for key, value in headers if key == name), b"")
