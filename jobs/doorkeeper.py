"""Asks for all open sockets of a process together whether their visitors may still listen.

A thousand sockets ask every few seconds each; one by one, the answers would take more of a core
than the frames. What is asked is the same: the session or the token still opens, the user is active
and may see the job. Where a session and its user stand in the database as they stood when they were
last looked at closely, they need no close look again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone

from jobs.models import Job
from jobs.stream import in_store
from jobs.visitors import Visitor

#: Sockets that ask within this time are answered together.
_GATHER_SECONDS = 0.1


@dataclass(eq=False)
class Listener:
    """One socket: who it is, and what it listens to."""

    visitor: Visitor
    user_id: Any
    model: type[Job]
    job_id: str
    #: Session and password as they stood when they were found to be good.
    seen: tuple[str, str] | None = None


class Doorkeeper:
    """Gathers questions, and answers them together."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Listener, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    async def lets(self, listener: Listener) -> bool:
        """Tell whether a socket may go on."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((listener, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._answer_all())
        return await answer

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_SECONDS)
                asked, self._waiting = self._waiting, []
                await self._answer(asked)
        finally:
            self._task = None

    async def _answer(self, asked: list[tuple[Listener, "asyncio.Future[bool]"]]) -> None:
        listeners = [listener for listener, _ in asked]
        try:
            may = await in_store(lambda: who_may(listeners))
        except Exception as error:  # noqa: BLE001  each socket deals with it by itself
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
            return
        for listener, answer in asked:
            if not answer.done():
                answer.set_result(listener in may)


def who_may(listeners: Sequence[Listener]) -> set[Listener]:
    """Return those who may go on, by a few queries for all of them."""
    users = _users(listeners)
    by_job: dict[tuple[type[Job], str], list[Listener]] = defaultdict(list)
    for listener in users:
        by_job[listener.model, listener.job_id].append(listener)
    may: set[Listener] = set()
    for (model, job_id), group in by_job.items():
        seers = _seers(model, job_id, [users[listener] for listener in group])
        may.update(listener for listener in group if id(users[listener]) in seers)
    return may


def _users(listeners: Sequence[Listener]) -> dict[Listener, Any]:
    """Return the user of each listener who is still somebody."""
    sessions = _sessions(one.visitor.session_key for one in listeners if one.visitor.session_key)
    known = get_user_model()._default_manager.in_bulk({one.user_id for one in listeners})
    found: dict[Listener, Any] = {}
    for one in listeners:
        user, session = known.get(one.user_id), sessions.get(one.visitor.session_key or "")
        now = (session, user.password) if session and user is not None else None
        if now is None or now != one.seen:
            user = one.visitor.user()
            one.seen = now if user is not None else None
        if user is not None and user.is_active and user.pk == one.user_id:
            found[one] = user
    return found


def _sessions(keys: Iterable[str]) -> dict[str, str]:
    rows = Session.objects.filter(session_key__in=set(keys), expire_date__gt=timezone.now())
    return dict(rows.values_list("session_key", "session_data"))


def _seers(model: type[Job], job_id: str, users: Sequence[Any]) -> set[int]:
    """Return the `id()` of the users who may see a job; two may be one person by two tokens."""
    rows: Any = model._default_manager.all()
    if hasattr(rows, "seen_by"):
        return {id(user) for user in rows.seen_by(job_id, users)}
    return {id(user) for user in users if rows.visible_to(user).filter(pk=job_id).exists()}
