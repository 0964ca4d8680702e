"""Cuts a request off whose body is larger than its address takes, before it fills the disk."""

import re
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils import translation

from accounts.middleware import language_asked_for
from cvtrainer_site.api.errors import problem_of

Scope = dict[str, Any]
Message = dict[str, Any]

#: Where files arrive; everywhere else a body is a form or a little JSON.
_TAKES_FILES = re.compile(
    r"/api/v1/(imports|detections|uploads)/|/api/v1/models/import/$|/projects/[^/]+/(import|detect)/$"
)
_SLACK = 64 * 1024


class BodyLimit:
    """An ASGI application around Django's, which reads a body whole before it looks at it."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on, or answer 413."""
        limit = _limit(scope)
        if _declared(scope) > limit:
            await _refuse(scope, send)
            return
        body = _Counted(receive, limit)

        async def answer(message: Message) -> None:
            if not body.is_too_large:
                await send(message)

        await self.application(scope, body, answer)
        if body.is_too_large:
            await _refuse(scope, send)


class _Counted:
    """Hands the parts of a body on, and hangs up behind the limit."""

    def __init__(self, receive: Any, left: int) -> None:
        self._receive = receive
        self._left = left

    @property
    def is_too_large(self) -> bool:
        """Whether more came than may."""
        return self._left < 0

    async def __call__(self) -> Message:
        message: Message = await self._receive()
        self._left -= len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_too_large else message


def _limit(scope: Scope) -> int:
    if _TAKES_FILES.match(scope["path"]):
        return int(settings.MAX_UPLOAD_BYTES) + _SLACK
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) + _SLACK


def _declared(scope: Scope) -> int:
    length = _header(scope, b"content-length")
    return int(length) if length.isascii() and length.isdigit() else 0


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _refuse(scope: Scope, send: Any) -> None:
    language = language_asked_for(_header(scope, b"accept-language")) or settings.LANGUAGE_CODE
    with translation.override(language):
        response = problem_of(RequestDataTooBig()).response()
    headers = [*response.items(), ("Connection", "close"), ("X-Content-Type-Options", "nosniff")]
    raw = [(key.lower().encode(), value.encode()) for key, value in headers]
    await send({"type": "http.response.start", "status": response.status_code, "headers": raw})
    await send({"type": "http.response.body", "body": response.content})
