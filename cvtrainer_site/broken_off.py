"""Lets a piece of an upload count as far as it came when its connection breaks in the middle."""

import asyncio
import re
from typing import Any

Scope = dict[str, Any]
Message = dict[str, Any]

#: Elsewhere half a body is of no use to anybody.
_IN_PIECES = re.compile(r"/api/v1/uploads/[^/]+$")


class KeepsWhatArrived:
    """An ASGI application around Django's, which forgets a body that does not come whole."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on; where its sender goes away, with what there is of its body."""
        is_piece = scope["method"] == "PATCH" and _IN_PIECES.search(scope["path"])
        if not is_piece:
            await self.application(scope, receive, send)
            return
        body = _Body(receive)

        async def answer(message: Message) -> None:
            if not body.is_broken:  # else nobody hears it
                await send(message)

        await self.application(scope, body, answer)


class _Body:
    """Hands the parts of a body on, and says that it is over where its sender has gone."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._is_over = False
        self.is_broken = False

    async def __call__(self) -> Message:
        if self.is_broken:
            # Django listens for who hangs up, and would drop the work that is to be done.
            await asyncio.Event().wait()
        message: Message = await self._receive()
        if message["type"] == "http.disconnect" and not self._is_over:
            self.is_broken = True
            return {"type": "http.request", "body": b"", "more_body": False}
        self._is_over = self._is_over or not message.get("more_body", False)
        return message
