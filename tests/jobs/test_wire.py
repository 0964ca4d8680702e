"""What many sockets share: frames encoded once, pages of the past, one question for all."""

import asyncio
import json
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from accounts.models import ApiToken
from jobs.doorkeeper import Listener, who_may
from jobs.pages import PAGE, Pages
from jobs.tickets import issue_ticket
from jobs.visitors import Visitor
from jobs.wire import BATCH_BYTES, Batch, Entry, first_batch
from tests import factories
from tests.fake_jobs.models import FakeJob
from training.models import TrainingRun

User = get_user_model()


def line(seq: int, text: str = "x") -> Entry:
    return Entry.of({"type": "log", "seq": seq, "at": "", "level": "info", "text": text})


def received(wire: bytes) -> list[bytes]:
    """Return the messages that a client of another hand reads."""
    client = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN, max_size=None)
    client.receive_data(wire)
    return [bytes(event.data) for event in client.events_received() if isinstance(event, Frame)]


class TestABatch:
    @pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
    def test_is_read_as_what_it_was(self, length: int) -> None:
        texts = (b"x" * length, "kệ".encode(), b"y" * length)
        assert received(Batch(3, texts).wire) == list(texts)

    def test_holds_no_more_than_may_wait_for_one_reader(self) -> None:
        entries = [line(n, "x" * 5_000) for n in range(1, 50)]
        batch = first_batch(entries, "en")
        assert 1 < len(batch.texts) < 10
        assert len(batch.wire) < BATCH_BYTES + 100
        assert batch.last == len(batch.texts)

    def test_holds_one_frame_at_least(self) -> None:
        assert first_batch([line(7, "x" * 2 * BATCH_BYTES)], "en").last == 7

    def test_tells_an_error_in_the_readers_language(self) -> None:
        error = {"code": "internal", "params": {"incident": "1"}}
        entry = Entry.of({"type": "status", "seq": 1, "status": "failed", "error": error})
        told = {code: json.loads(first_batch([entry], code).texts[0]) for code in ("vi", "en")}
        assert told["en"]["error"]["message"] != told["vi"]["error"]["message"]
        assert "incident" in told["en"]["error"]["message"]


class TestPages:
    def fetch_of(self, count: int) -> tuple[Any, list[int]]:
        asked: list[int] = []

        async def fetch(after: int, limit: int) -> list[Entry]:
            asked.append(after)
            await asyncio.sleep(0.01)
            return [line(n) for n in range(after + 1, min(after + limit, count) + 1)]

        return fetch, asked

    async def test_are_fetched_once_for_all_who_replay(self) -> None:
        pages, (fetch, asked) = Pages(), self.fetch_of(1_000)
        found = await asyncio.gather(
            *(pages.behind("a", 30, last=1_000, fetch=fetch) for _ in range(20))
        )
        assert asked == [0]
        assert [[entry.seq for entry in page] for page in found] == [list(range(31, 101))] * 20

    async def test_that_still_grow_are_not_kept(self) -> None:
        pages, (fetch, asked) = Pages(), self.fetch_of(150)
        for _ in range(2):
            page = await pages.behind("a", 120, last=150, fetch=fetch)
            assert [entry.seq for entry in page] == list(range(121, 151))
        assert asked == [120, 120]

    async def test_hold_a_bounded_number_of_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("jobs.pages._MOST_BYTES", 3 * PAGE * line(1).size + 1_000)
        pages, (fetch, asked) = Pages(), self.fetch_of(10 * PAGE)
        for number in (0, 1, 2, 3, 4, 5, 0):
            await pages.behind("a", number * PAGE, last=10 * PAGE, fetch=fetch)
        await asyncio.sleep(0)
        assert len(pages._pages) <= 3
        assert asked == [n * PAGE for n in (0, 1, 2, 3, 4, 5, 0)]

    async def test_that_could_not_be_fetched_are_asked_for_again(self) -> None:
        pages, (fetch, _) = Pages(), self.fetch_of(1_000)

        async def broken(after: int, limit: int) -> list[Entry]:
            raise OSError("away")

        with pytest.raises(OSError):
            await pages.behind("a", 0, last=1_000, fetch=broken)
        assert len(await pages.behind("a", 0, last=1_000, fetch=fetch)) == PAGE


def listener(user: Any, job: Any, **how: Any) -> Listener:
    """Return the socket of a user who has signed in."""
    if not how:
        client = Client()
        client.force_login(user)
        how = {"session_key": client.cookies[settings.SESSION_COOKIE_NAME].value, "ticket": None}
    return Listener(Visitor.admit(**how), user.pk, type(job), str(job.pk))


class TestTheDoorkeeper:
    @pytest.fixture
    def listeners(self) -> list[Listener]:
        owner = User.objects.create_user("owner", password="x")
        job = FakeJob.objects.create(created_by=owner)
        viewers = [User.objects.create_user(f"viewer{n}", password="x") for n in range(5)]
        job.viewers.set(viewers)
        return [listener(user, job) for user in (owner, *viewers)]

    def test_lets_in_who_may(self, listeners: list[Listener]) -> None:
        outsider = listener(User.objects.create_user("outsider"), FakeJob.objects.get())
        assert who_may([*listeners, outsider]) == set(listeners)

    @pytest.mark.parametrize("is_known", [False, True])
    def test_notices_whatever_has_changed(self, listeners: list[Listener], is_known: bool) -> None:
        if is_known:
            who_may(listeners)
        _, removed, inactive, password, signed_out, stays = listeners
        FakeJob.objects.get().viewers.remove(removed.user_id)
        User.objects.filter(pk=inactive.user_id).update(is_active=False)
        User.objects.filter(pk=password.user_id).update(password="other")
        Session.objects.filter(session_key=signed_out.visitor.session_key).delete()
        assert who_may(listeners) == {listeners[0], stays}
        assert who_may(listeners) == {listeners[0], stays}

    def test_asks_little_about_those_it_knows(self, listeners: list[Listener]) -> None:
        who_may(listeners)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            who_may(listeners)
        # Sessions, users, and one a listener for the fake job, which has no `seen_by`.
        assert len(queries) == 2 + len(listeners)

    def test_confines_two_tokens_of_one_person_each_for_itself(self) -> None:
        project, other = (factories.make_project() for _ in range(2))
        user = factories.make_user()
        for one in (project, other):
            factories.make_member(one, user, "viewer")
        run = factories.make_run(project)
        here, there = (
            listener(user, run, session_key=None, ticket=_ticket(user, of))
            for of in (project, other)
        )
        assert who_may([here, there]) == {here}
        for row in (project, other):
            row.delete()
        User.objects.all().delete()


def _ticket(user: Any, project: Any) -> str:
    token, _ = ApiToken.objects.create(user=user, name="t", scopes=["read"], project=project)
    text, _ = issue_ticket(user=user, token=token)
    return text


@pytest.mark.django_db
def test_seen_by_is_what_visible_to_says_of_each() -> None:
    run = factories.make_run(factories.make_project())
    people = [factories.make_user() for _ in range(5)]
    for user, role in zip(people, ("owner", "editor", "viewer"), strict=False):
        factories.make_member(run.project, user, role)
    people.append(factories.make_user(is_superuser=True))
    confined = [User.objects.get(pk=person.pk) for person in people]
    for person in confined:
        person.confined_to_project_id = factories.make_project().pk
    kept = [User.objects.get(pk=person.pk) for person in people]
    for person in kept:
        person.confined_to_project_id = run.project_id
    everybody = [*people, *confined, *kept]

    rows: Any = TrainingRun.objects.all()
    seen = {id(person) for person in rows.seen_by(run.pk, everybody)}

    told = {id(p) for p in everybody if rows.visible_to(p).filter(pk=run.pk).exists()}
    assert seen == told
    assert len(told) == 8
    assert rows.seen_by("00000000-0000-4000-8000-000000000000", everybody) == []
