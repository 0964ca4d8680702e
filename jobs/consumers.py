"""The WebSocket of a job: `/ws/<slug>/<id>/?after=SEQ`. It speaks, and does not listen.

One message a frame; where the server can (`cvtrainer_site/sockets.py`), many go out at once.

Closed with 4401 (who are you?), 4404 (no such job for you), 4403 (you may not any more), 4429 (too
many at once), 1003 (it takes no messages). It stays open after the job's end, for a failed or
canceled job may go on.
"""

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils import translation

from jobs.doorkeeper import Doorkeeper, Listener
from jobs.models import Job
from jobs.registry import job_model
from jobs.stream import follow, in_store
from jobs.visitors import Visitor, sees
from jobs.wire import MANY, Batch

log = logging.getLogger(__name__)

_MAX_SOCKETS = 20
#: Membership is asked for again before frames go out, and in silence.
_RECHECK_SECONDS = 5.0
_RECHECK_QUIET_SECONDS = 15.0
#: A reader that takes nothing for so long is let go; it comes back with its cursor.
_SEND_SECONDS = 30.0

_open: Counter[str] = Counter()
_doorkeeper = Doorkeeper()


class JobConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """One socket."""

    # Facts come from the store and doorbells from `jobs.events`: no channel layer is set up.
    channel_layer_alias = "none"

    listener: Listener | None = None
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
        if self.listener is not None:
            user_id = str(self.listener.user_id)
            _open[user_id] -= 1
            if not _open[user_id]:
                del _open[user_id]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take nothing."""
        await self.close(1003)

    async def _admit(self, query: dict[str, list[str]]) -> int | None:
        """Return None, or the code with which to close."""
        session_key = self.scope["session"].session_key
        ticket = query.get("ticket", [None])[-1]
        where = self.scope["url_route"]["kwargs"]
        model, job_id = _asked_for(where["slug"], where["job_id"])

        def look() -> tuple[Visitor, Any, bool]:
            visitor = Visitor.admit(session_key=session_key, ticket=ticket)
            user = visitor.user()
            return visitor, user, user is not None and sees(user, model, job_id)

        visitor, user, may_see = await in_store(look)
        if user is None:
            return 4401
        if not may_see or model is None:
            return 4404
        if _open[str(user.pk)] >= _MAX_SOCKETS:
            return 4429
        self.listener = Listener(visitor, user.pk, model, job_id)
        self.language = getattr(user, "language", "") or translation.get_language()
        _open[str(user.pk)] += 1
        return None

    async def _tell(self, after: int) -> None:
        """Send frame after frame; end with a close where this must not go on."""
        assert self.listener is not None
        story = follow(
            self.listener.model,
            self.listener.job_id,
            after=after,
            language=self.language,
            tick=_RECHECK_QUIET_SECONDS,
        )
        try:
            # Closed at once, not by the garbage collector: its reader ends with the last follower.
            async with aclosing(story):
                await self._tell_all(self.listener, story)
        except TimeoutError:
            await self.close(1013)
        except OSError:
            log.debug("A socket of %s was closed on the other side", self.listener.job_id)
        except Exception:
            log.exception("A socket of %s broke", self.listener.job_id)
            await self.close(1011)

    async def _tell_all(self, listener: Listener, story: AsyncIterator[Batch | None]) -> None:
        asked_at = time.monotonic()
        async for batch in story:
            if time.monotonic() - asked_at >= _RECHECK_SECONDS:
                if not await _doorkeeper.lets(listener):
                    await self.close(4403)
                    return
                asked_at = time.monotonic()
            if batch is not None:
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._send(batch)

    async def _send(self, batch: Batch) -> None:
        if MANY in self.scope.get("extensions", {}):
            await self.base_send({"type": MANY, "data": batch.wire})
            return
        for text in batch.texts:
            await self.send(text.decode())


def _asked_for(slug: str, job_id: str) -> tuple[type[Job] | None, str]:
    """Return which job is asked for; no model where there is no such kind, or no such id."""
    try:
        return job_model(slug), str(uuid.UUID(job_id))
    except (LookupError, ValueError):
        return None, ""


def _number(text: str) -> int:
    """Return the cursor; whatever is no number that could be one begins at the beginning."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
