"""The live story of a job over real sockets from a real web process."""

import contextlib
import json
import os
import signal
import socket
import threading
import time

import psutil
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from jobs import transitions
from jobs.models import StreamTicket
from jobs.states import Status
from jobs.tickets import issue_ticket
from jobs.transitions import append, claim
from tests.fake_jobs.models import FakeJob
from tests.jobs.conftest import wait_for
from tests.services.programs import Programs, free_port

User = get_user_model()


class Site:
    """A web process, and what a browser and a machine do with it."""

    def __init__(self, programs: Programs) -> None:
        self.programs = programs
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.process = programs.web(self.port)

    def open(self, job: FakeJob, *, after: int = 0, **how) -> ClientConnection:
        return open_socket(self.port, f"{job.slug}/{job.pk}/?after={after}", **how)

    def restart(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self.programs.web(self.port)


def open_socket(port, path, *, user=None, session="", origin="own", ticket=None, **options):
    session = session_of(user) if user else session
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}
    if origin == "own":
        origin = f"http://127.0.0.1:{port}"
    query = f"&ticket={ticket}" if ticket else ""
    return connect(
        f"ws://127.0.0.1:{port}/ws/{path}{query}",
        additional_headers=headers,
        origin=origin,
        compression=None,
        legacy=True,
        **options,
    )


def session_of(user) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def frames(open_: ClientConnection, count: int, seconds: float = 10.0) -> list[dict]:
    return [json.loads(open_.recv(timeout=seconds)) for _ in range(count)]


def close_code(open_: ClientConnection, seconds: float = 10.0) -> int:
    """Read until the other side closes, and return with which code."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            open_.recv(timeout=max(0.0, deadline - time.monotonic()))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


@pytest.fixture
def owner():
    return User.objects.create_user("owner", password="x", language="en")


@pytest.fixture
def viewer():
    return User.objects.create_user("viewer", password="x")


@pytest.fixture
def mine(owner, viewer) -> FakeJob:
    """A running job of the owner's, which the viewer may see."""
    job = FakeJob.objects.create(created_by=owner)
    job.viewers.add(viewer)
    claimed = claim(FakeJob, job.pk, worker="w1")
    assert claimed is not None
    return claimed


@pytest.fixture
def site(programs: Programs) -> Site:
    return Site(programs)


def tell(job: FakeJob, count: int, size: int = 20) -> None:
    append(job, [("log", {"level": "info", "text": "x" * size}) for _ in range(count)])


class TestTheStory:
    def test_is_replayed_and_then_goes_on_live(self, site, mine, owner):
        tell(mine, 3)
        with site.open(mine, user=owner) as open_:
            first = frames(open_, 4)
            assert [frame["seq"] for frame in first] == [1, 2, 3, 4]
            assert first[0]["type"] == "status"
            assert first[0]["status"] == "running"
            assert set(first[1]) == {"type", "seq", "at", "level", "text"}
            append(mine, [("epoch", {"epoch": 1, "val": {"map50": 0.5}})])
            (live,) = frames(open_, 1, seconds=1.0)
            assert (live["type"], live["seq"], live["val"]) == ("epoch", 5, {"map50": 0.5})

    def test_arrives_within_half_a_second(self, site, mine, owner):
        with site.open(mine, user=owner) as open_:
            frames(open_, 1)
            delays = []
            for _ in range(10):
                time.sleep(0.3)
                began = time.monotonic()
                tell(mine, 1)
                frames(open_, 1)
                delays.append(time.monotonic() - began)
        assert sorted(delays)[5] < 0.5

    def test_goes_on_behind_a_number(self, site, mine, owner):
        tell(mine, 10)
        with site.open(mine, after=7, user=owner) as open_:
            assert [frame["seq"] for frame in frames(open_, 4)] == [8, 9, 10, 11]

    @pytest.mark.parametrize("after", ["", "x", "-1", "9" * 5000, "1e3", "٣"])
    def test_begins_at_the_beginning_where_the_number_is_none(self, site, mine, owner, after):
        path = f"{mine.slug}/{mine.pk}/?after={after}"
        with open_socket(site.port, path, user=owner) as open_:
            assert frames(open_, 1)[0]["seq"] == 1

    def test_of_a_burst_of_400_lines_before_20_sockets_is_whole(self, site, mine, owner, viewer):
        with contextlib.ExitStack() as stack:
            sockets = [
                stack.enter_context(site.open(mine, user=user))
                for user in [owner] * 10 + [viewer] * 10
            ]
            for _ in range(400):
                tell(mine, 1)
            for open_ in sockets:
                assert [f["seq"] for f in frames(open_, 401)] == list(range(1, 402))

    def test_is_replayed_in_chunks(self, site, mine, owner):
        for _ in range(5):
            tell(mine, 500)
        with site.open(mine, user=owner) as open_:
            assert [f["seq"] for f in frames(open_, 2501)] == list(range(1, 2502))
            tell(mine, 1)
            assert frames(open_, 1)[0]["seq"] == 2502

    def test_goes_on_after_the_end_when_the_job_does(self, site, mine, owner):
        with site.open(mine, user=owner) as open_:
            transitions.finish(mine, Status.FAILED, error={"code": "internal", "params": {}})
            told = frames(open_, 2)
            assert told[1]["status"] == "failed"
            assert "incident number" in told[1]["error"]["message"]
            transitions.requeue(mine)
            assert frames(open_, 1, seconds=12)[0]["status"] == "queued"

    def test_is_the_same_from_a_server_that_sends_each_message_by_itself(
        self, programs, mine, owner
    ):
        port = free_port()
        programs.web(port, ws="auto")
        tell(mine, 300, size=200)
        with open_socket(port, f"{mine.slug}/{mine.pk}/?after=0", user=owner) as open_:
            assert [f["seq"] for f in frames(open_, 301)] == list(range(1, 302))
            tell(mine, 1)
            assert frames(open_, 1)[0]["seq"] == 302

    def test_comes_without_redis_too(self, site, mine, owner, valkey):
        with site.open(mine, user=owner) as open_:
            frames(open_, 1)
            valkey.kill()
            tell(mine, 2)
            assert len(frames(open_, 2, seconds=5)) == 2
        with site.open(mine, user=owner) as open_:
            assert len(frames(open_, 3, seconds=5)) == 3
            valkey.start()

    def test_comes_with_a_redis_that_hangs_too(self, site, mine, owner, valkey):
        valkey.freeze()
        with site.open(mine, user=owner) as open_:
            frames(open_, 1)
            tell(mine, 2)
            assert len(frames(open_, 2, seconds=5)) == 2


class TestTheWebProcessIsKilled:
    def test_again_and_again_and_no_frame_is_missing_or_twice(self, site, mine, owner):
        got: list[int] = []
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.is_set() or got[-1:] != [total]:
                with contextlib.suppress(OSError, ConnectionClosed, TimeoutError, InvalidStatus):
                    after = got[-1] if got else 0
                    with site.open(mine, after=after, user=owner, open_timeout=2) as open_:
                        while True:
                            got.append(json.loads(open_.recv(timeout=1.0))["seq"])
                time.sleep(0.05)
            connection.close()

        total = 1 + 40 * 10
        watcher = threading.Thread(target=watch)
        watcher.start()
        for number in range(40):
            tell(mine, 10)
            time.sleep(0.1)
            if number % 8 == 4:
                site.restart()
        is_over.set()
        watcher.join(timeout=30)
        assert got == list(range(1, total + 1))


class TestWhoMayListen:
    def test_nobody_without_a_session(self, site, mine):
        assert close_code(site.open(mine)) == 4401

    def test_nobody_with_a_session_that_ended(self, site, mine, owner):
        key = session_of(owner)
        owner.set_password("other")
        owner.save()
        assert close_code(site.open(mine, session=key)) == 4401

    def test_no_outsider_and_existence_is_not_told(self, site, mine):
        outsider = User.objects.create_user("outsider")
        assert close_code(site.open(mine, user=outsider)) == 4404
        for path in (
            "fakes/00000000-0000-4000-8000-000000000000/",
            "nothing/00000000-0000-4000-8000-000000000000/",
            f"training-runs/{mine.pk}/",
        ):
            assert close_code(open_socket(site.port, path + "?", user=outsider)) == 4404

    def test_nobody_who_was_removed_meanwhile(self, site, mine, viewer):
        with site.open(mine, user=viewer) as open_:
            frames(open_, 1)
            mine.viewers.clear()
            time.sleep(5.1)
            tell(mine, 1)
            with pytest.raises(ConnectionClosed) as closed:
                open_.recv(timeout=5)
            assert closed.value.rcvd.code == 4403

    def test_nobody_who_was_removed_though_nothing_happens(self, site, mine, viewer):
        with site.open(mine, user=viewer) as open_:
            frames(open_, 1)
            mine.viewers.clear()
            assert close_code(open_, seconds=30) == 4403

    def test_nobody_who_was_switched_off_meanwhile(self, site, mine, viewer):
        with site.open(mine, user=viewer) as open_:
            frames(open_, 1)
            User.objects.filter(pk=viewer.pk).update(is_active=False)
            time.sleep(5.1)
            tell(mine, 1)
            assert close_code(open_) == 4403

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "http://127.0.0.1:1",
            "http://127.0.0.1.evil.example",
            "null",
            None,
        ],
    )
    def test_no_foreign_page_with_somebodys_cookie(self, site, mine, owner, origin):
        with pytest.raises(InvalidStatus) as refused:
            site.open(mine, user=owner, origin=origin)
        assert refused.value.response.status_code == 403

    def test_no_foreign_host_that_was_pointed_at_us(self, site, mine, owner):
        with socket.create_connection(("127.0.0.1", site.port)) as raw:
            raw.sendall(
                f"GET /ws/fakes/{mine.pk}/ HTTP/1.1\r\nHost: evil.example\r\n"
                "Origin: http://evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                f"Cookie: {settings.SESSION_COOKIE_NAME}={session_of(owner)}\r\n\r\n".encode()
            )
            assert b" 403 " in raw.recv(1000).splitlines()[0]

    def test_twenty_at_once_of_one_user(self, site, mine, owner):
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                frames(stack.enter_context(site.open(mine, user=owner)), 1)
            assert close_code(site.open(mine, user=owner)) == 4429
        wait_for(lambda: can_listen(site, mine, owner))

    def test_nobody_may_talk(self, site, mine, owner):
        with site.open(mine, user=owner) as open_:
            open_.send("hello")
            assert close_code(open_) == 1003

    def test_a_huge_message_is_not_even_read(self, site, mine, owner):
        memory = psutil.Process(site.process.pid).memory_info
        before = memory().rss
        with site.open(mine, user=owner) as open_:
            with contextlib.suppress(ConnectionClosed):
                open_.send(b"x" * 100_000_000)
            assert close_code(open_) in {1003, 1006, 1009}
        assert memory().rss - before < 20_000_000


def can_listen(site: Site, job: FakeJob, user) -> bool:
    with site.open(job, user=user) as open_:
        try:
            return bool(frames(open_, 1))
        except ConnectionClosed:
            return False


class TestTickets:
    def test_open_one_socket(self, site, mine, owner):
        text, _ = issue_ticket(user=owner, token=None)
        with site.open(mine, ticket=text, origin=None) as open_:
            assert frames(open_, 1)[0]["seq"] == 1
        assert close_code(site.open(mine, ticket=text, origin=None)) == 4401

    def test_used_twice_at_once_open_one(self, site, mine, owner):
        for _ in range(3):
            text, _ = issue_ticket(user=owner, token=None)
            results: list[bool] = []

            def try_(text=text, results=results) -> None:
                with site.open(mine, ticket=text, origin=None) as open_:
                    try:
                        results.append(bool(frames(open_, 1)))
                    except ConnectionClosed:
                        results.append(False)

            threads = [threading.Thread(target=try_) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(results) == [False, False, False, True]

    def test_are_worth_nothing_after_a_minute(self, site, mine, owner):
        text, ticket = issue_ticket(user=owner, token=None)
        assert 55 < (ticket.expires_at - timezone.now()).total_seconds() <= 60
        StreamTicket.objects.update(expires_at=timezone.now())
        assert close_code(site.open(mine, ticket=text, origin=None)) == 4401

    def test_are_stored_as_digests_and_old_ones_removed(self, owner):
        text, _ = issue_ticket(user=owner, token=None)
        assert text not in str(StreamTicket.objects.values_list())
        StreamTicket.objects.update(expires_at=timezone.now())
        issue_ticket(user=owner, token=None)
        assert StreamTicket.objects.count() == 1

    def test_do_not_help_a_foreign_page(self, site, mine, owner):
        text, _ = issue_ticket(user=owner, token=None)
        with pytest.raises(InvalidStatus):
            site.open(mine, ticket=text, origin="https://evil.example")

    def test_see_no_more_than_their_user(self, site, mine):
        text, _ = issue_ticket(user=User.objects.create_user("outsider"), token=None)
        assert close_code(site.open(mine, ticket=text, origin=None)) == 4404

    def test_die_with_the_token_that_they_came_from(self, site, mine, owner):
        from accounts.models import ApiToken

        token, _ = ApiToken.objects.create(user=owner, name="t", scopes=["read"])
        text, _ = issue_ticket(user=owner, token=token)
        with site.open(mine, ticket=text, origin=None) as open_:
            frames(open_, 1)
            token.delete()
            time.sleep(5.1)
            tell(mine, 1)
            assert close_code(open_) == 4403


class TestASlowReader:
    def test_gets_everything_and_costs_no_memory(self, site, mine, owner, viewer):
        memory = psutil.Process(site.process.pid).memory_info
        with site.open(mine, user=viewer, max_queue=1) as slow, site.open(mine, user=owner) as fast:
            frames(fast, 1)
            frames(slow, 1)
            before = memory().rss
            for _ in range(60):
                tell(mine, 100, size=5_000)  # 30 MB in all
            assert frames(fast, 6000, seconds=20)[-1]["seq"] == 6001
            assert memory().rss - before < 25_000_000
            assert [f["seq"] for f in frames(slow, 6000)] == list(range(2, 6002))


def test_ends_quietly_when_the_web_process_is_told_to_leave(site: Site, mine, owner):
    with site.open(mine, user=owner) as open_:
        frames(open_, 1)
        os.kill(site.process.pid, signal.SIGTERM)
        assert close_code(open_) == 1012
