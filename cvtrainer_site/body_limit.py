"""Cuts a request off whose body is larger than its address, or the disk, takes."""

import errno
import re
import shutil
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils import translation
from rest_framework.exceptions import NotAuthenticated

from accounts.middleware import language_asked_for
from cvtrainer_site.api.errors import problem_of
from cvtrainer_site.api.problems import Problem
from cvtrainer_site.api.sentences import SENTENCES

Scope = dict[str, Any]
Message = dict[str, Any]

#: Where files arrive; everywhere else a body is a form or a little JSON.
_TAKES_FILES = re.compile(
    r"/api/v1/((imports|detections|models/import)/$|uploads/)|/projects/[^/]+/(import|detect)/$"
)
_SLACK = 64 * 1024
_MIB = 1024 * 1024
#: Django writes the body to the disk, and then the file that is in it.
_COPIES = 2
#: But an upload goes through in slices, and lies on the disk once.
_IN_SLICES = "/api/v1/uploads/"
#: Always left for the database.
_RESERVE = 64 * _MIB
_LOOK_EVERY = 32 * _MIB
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class BodyLimit:
    """An ASGI application around Django's, which reads a body whole before it looks at it."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on, or answer 413 or 507."""
        limit, declared = _limit(scope), _declared(scope)
        if declared > limit:
            is_stranger = _TAKES_FILES.match(scope["path"]) and not _says_who(scope)
            await _refuse(scope, send, NotAuthenticated() if is_stranger else RequestDataTooBig())
            return
        needed = declared * (1 if scope["path"].startswith(_IN_SLICES) else _COPIES)
        if declared > _MIB and needed > _free():
            await _refuse(scope, send, _NoRoom(needed))
            return
        body, has_begun = _Counted(receive, limit), False

        async def answer(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            if not body.is_too_large:
                await send(message)

        try:
            await self.application(scope, body, answer)
        except OSError as error:
            if has_begun or error.errno not in _FULL:
                raise
            await _refuse(scope, send, _NoRoom(needed))
            return
        if body.is_too_large:
            await _refuse(scope, send, RequestDataTooBig())


class _NoRoom(Exception):
    """The disk does not have so many bytes."""

    def __init__(self, needed: int) -> None:
        super().__init__(needed)
        self.needed = needed

    def problem(self) -> Problem:
        """Return what the client is told, in the active language."""
        numbers = {"needed": self.needed // _MIB, "free": max(0, _free()) // _MIB}
        return Problem(507, "disk_full", str(SENTENCES["no_room"]).format(**numbers))


class _Counted:
    """Hands the parts of a body on, and hangs up behind the limit."""

    def __init__(self, receive: Any, left: int) -> None:
        self._receive = receive
        self._left = left
        self._since_look = 0

    @property
    def is_too_large(self) -> bool:
        """Whether more came than may."""
        return self._left < 0

    async def __call__(self) -> Message:
        message: Message = await self._receive()
        size = len(message.get("body", b""))
        self._left -= size
        self._since_look += size
        if self._since_look > _LOOK_EVERY:
            self._look_for_room()
        return {"type": "http.disconnect"} if self.is_too_large else message

    def _look_for_room(self) -> None:
        # Others write too, and a body in chunks does not say how large it is.
        self._since_look = 0
        if _free() < 0:
            raise OSError(errno.ENOSPC, "The last of the disk is for the database.")


def _limit(scope: Scope) -> int:
    if _TAKES_FILES.match(scope["path"]) and _says_who(scope):
        return int(settings.MAX_UPLOAD_BYTES) + _SLACK
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) + _SLACK


def _says_who(scope: Scope) -> bool:
    """Tell whether there is a name at all to check: Django takes the body before it does."""
    return bool(_header(scope, b"authorization")) or settings.SESSION_COOKIE_NAME in _header(
        scope, b"cookie"
    )


def _declared(scope: Scope) -> int:
    length = _header(scope, b"content-length")
    return int(length) if length.isascii() and length.isdigit() else 0


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _free() -> int:
    return shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free - _RESERVE


async def _refuse(scope: Scope, send: Any, reason: Exception) -> None:
    language = language_asked_for(_header(scope, b"accept-language")) or settings.LANGUAGE_CODE
    with translation.override(language):
        problem = reason.problem() if isinstance(reason, _NoRoom) else problem_of(reason)
        response = problem.response()
    headers = [*response.items(), ("Connection", "close"), ("X-Content-Type-Options", "nosniff")]
    raw = [(key.lower().encode(), value.encode()) for key, value in headers]
    await send({"type": "http.response.start", "status": response.status_code, "headers": raw})
    await send({"type": "http.response.body", "body": response.content})
