"""The WebSocket of a job: `/ws/<slug>/<id>/?after=SEQ`. It speaks, and does not listen.

Closed with 4401 (who are you?), 4404 (no such job for you), 4403 (you may not any more), 4429 (too
many at once), 1003 (it takes no messages). It stays open after the job's end, for a failed or
canceled job may go on.
"""

import asyncio
import json
import logging
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import translation

from jobs.models import Job
from jobs.registry import job_model
from jobs.serializers import shown
from jobs.stream import Frames, follow, in_store
from jobs.visitors import Visitor

log = logging.getLogger(__name__)

_MAX_SOCKETS = 20
#: Membership is asked for again before frames go out, and in silence.
_RECHECK_SECONDS = 5.0
_RECHECK_QUIET_SECONDS = 15.0
#: A reader that takes nothing for so long is let go; it comes back with its cursor.
_SEND_SECONDS = 30.0

_open: Counter[str] = Counter()


class JobConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """One socket."""

    # Facts come from the store and doorbells from `jobs.events`: no channel layer is set up.
    channel_layer_alias = "none"

    model: type[Job]
    job_id: str
    user_id: str | None = None
    pump: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        """Admit who may see the job, and begin to tell."""
        await self.accept()
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        code = await self._admit(query)
        if code is not None:
            await self.close(code)
            return
        self.pump = asyncio.create_task(self._tell(_number(query.get("after", ["0"])[-1])))

    async def disconnect(self, code: int) -> None:
        """Stop telling."""
        if self.pump is not None:
            self.pump.cancel()
        if self.user_id is not None:
            _open[self.user_id] -= 1
            if not _open[self.user_id]:
                del _open[self.user_id]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take nothing."""
        await self.close(1003)

    async def _admit(self, query: dict[str, list[str]]) -> int | None:
        """Return None, or the code with which to close."""
        session_key = self.scope["session"].session_key
        ticket = query.get("ticket", [None])[-1]
        self.visitor = await in_store(lambda: Visitor.admit(session_key=session_key, ticket=ticket))
        user = await in_store(self.visitor.user)
        if user is None:
            return 4401
        try:
            self.model = job_model(self.scope["url_route"]["kwargs"]["slug"])
            self.job_id = str(uuid.UUID(self.scope["url_route"]["kwargs"]["job_id"]))
        except (LookupError, ValueError):
            return 4404
        if not await self._may_see():
            return 4404
        if _open[str(user.pk)] >= _MAX_SOCKETS:
            return 4429
        self.user_id = str(user.pk)
        self.language = getattr(user, "language", "") or translation.get_language()
        _open[self.user_id] += 1
        return None

    async def _may_see(self) -> bool:
        return await in_store(lambda: self.visitor.may_see(self.model, self.job_id))

    async def _tell(self, after: int) -> None:
        """Send frame after frame; end with a close where this must not go on."""
        story = follow(self.model, self.job_id, after=after, tick=_RECHECK_QUIET_SECONDS)
        try:
            # Closed at once, not by the garbage collector: its reader ends with the last follower.
            async with aclosing(story):
                await self._tell_all(story)
        except TimeoutError:
            await self.close(1013)
        except OSError:
            log.debug("A socket of %s was closed on the other side", self.job_id)
        except Exception:
            log.exception("A socket of %s broke", self.job_id)
            await self.close(1011)

    async def _tell_all(self, story: AsyncIterator[Frames]) -> None:
        asked_at = time.monotonic()
        async for frames in story:
            if time.monotonic() - asked_at >= _RECHECK_SECONDS:
                if not await self._may_see():
                    await self.close(4403)
                    return
                asked_at = time.monotonic()
            async with asyncio.timeout(_SEND_SECONDS):
                await self._send(frames)

    async def _send(self, frames: Frames) -> None:
        for frame in frames:
            with translation.override(self.language):
                text = json.dumps(shown(frame), ensure_ascii=False)
            await self.send(text)


def _number(text: str) -> int:
    """Return the cursor; whatever is no number that could be one begins at the beginning."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
