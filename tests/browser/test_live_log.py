"""The live page of a job: every line once and in order, whatever happens to the connection."""

from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import User
from datasets.models import Import
from jobs import transitions
from jobs.models import JobEvent
from projects.models import Project
from tests.browser.visitor import PHONE
from tests.factories import make_import
from tests.services.programs import Programs, free_port


@pytest.fixture
def job(project: Project) -> Any:
    """An import that a worker of ours holds."""
    waiting = make_import(project)
    claimed = transitions.claim(Import, waiting.pk, worker="test")
    assert claimed is not None
    return claimed


def tell(job: Any, first: int, last: int) -> None:
    """Write numbered log lines."""
    frames = [
        (JobEvent.Type.LOG, {"level": "info", "text": f"line {n}"}) for n in range(first, last)
    ]
    transitions.append(job, frames)


def shown(page: Page, lines: int) -> list[str]:
    """Return the lines on the page once there are as many."""
    page.locator(f"[data-log-lines] > div:nth-child({lines})").wait_for()
    texts: list[str] = page.eval_on_selector_all(
        "[data-log-lines] > div", "rows => rows.map(row => row.lastChild.textContent)"
    )
    return texts


def expected(lines: int) -> list[str]:
    return [f"line {n}" for n in range(lines)]


def test_only_the_newest_lines_are_loaded_until_somebody_asks_for_older_ones(
    visit: Any, viewer: User, job: Any
) -> None:
    tell(job, 0, 1150)
    progress = {"phase": "read", "done": 1, "total": 2, "percent": 50.0, "eta_seconds": None}
    transitions.append(job, [(JobEvent.Type.PROGRESS, progress)] * 300)
    tell(job, 1150, 1200)
    job.refresh_from_db()
    visitor = visit(viewer, language="en", width=PHONE)
    sockets: list[str] = []
    visitor.page.on("websocket", lambda socket: sockets.append(socket.url))
    page = visitor.open(f"/imports/{job.pk}/")
    assert shown(page, 500) == expected(1200)[-500:]
    assert page.locator("[data-log-count]").inner_text() == "500+"
    assert sockets[0].endswith(f"?after={job.last_seq}")
    assert visitor.problems() == []

    older = page.get_by_role("button", name="Older lines")
    older.click()
    assert shown(page, 1000) == expected(1200)[-1000:]
    tell(job, 1200, 1205)
    older.click()
    assert shown(page, 1200) == expected(1200)
    assert older.is_hidden()
    page.click("[data-log-pause]")
    assert shown(page, 1205) == expected(1205)
    assert page.locator("[data-log-count]").inner_text() == "1,205"


def test_older_lines_that_do_not_come_can_be_asked_for_again(
    visit: Any, viewer: User, job: Any
) -> None:
    tell(job, 0, 10)
    visitor = visit(viewer)
    visitor.page.route("**/logs/?before=*", lambda route: route.abort(), times=1)
    page = visitor.open(f"/imports/{job.pk}/")
    page.locator("[data-log-older] [role=status]:not(:empty)").wait_for()
    tell(job, 10, 12)
    assert shown(page, 2) == expected(12)[-2:]
    page.click("[data-log-older] button")
    assert shown(page, 12)[:10] == expected(10)


def test_lines_arrive_without_reloading(visit: Any, viewer: User, job: Any) -> None:
    tell(job, 0, 20)
    page = visit(viewer).open(f"/imports/{job.pk}/")
    assert shown(page, 20) == expected(20)
    tell(job, 20, 30)
    assert shown(page, 30) == expected(30)


def test_nothing_is_lost_or_repeated_when_the_server_restarts(
    visit: Any, viewer: User, job: Any, programs: Programs
) -> None:
    port = free_port()
    web = programs.web(port)
    visitor = visit(viewer)
    visitor.base = f"http://127.0.0.1:{port}"
    tell(job, 0, 10)
    page = visitor.open(f"/imports/{job.pk}/")
    assert shown(page, 10) == expected(10)
    web.kill()
    web.wait()
    tell(job, 10, 25)
    programs.web(port)
    assert shown(page, 25) == expected(25)
    tell(job, 25, 30)
    assert shown(page, 30) == expected(30)


def test_without_sockets_the_page_polls(visit: Any, viewer: User, job: Any) -> None:
    visitor = visit(viewer)
    visitor.page.route_web_socket("**/ws/**", lambda socket: socket.close())
    tell(job, 0, 10)
    page = visitor.open(f"/imports/{job.pk}/")
    assert shown(page, 10) == expected(10)
    tell(job, 10, 15)
    assert shown(page, 15) == expected(15)
    assert page.locator("[data-log-state]").inner_text().strip()


class DeadLine:
    """WebSockets of a page that can be made to say nothing any more, without being closed."""

    def __init__(self, page: Page) -> None:
        self.opened = 0
        self.is_dead = False
        page.route_web_socket("**/ws/**", self._carry)

    def _carry(self, socket: Any) -> None:
        self.opened += 1
        number = self.opened
        server = socket.connect_to_server()
        server.on_message(lambda text: self._pass(socket, number, text))

    def _pass(self, socket: Any, number: int, text: Any) -> None:
        if not (self.is_dead and number == 1):
            socket.send(text)


_WAKE = """() => {
  for (const hidden of [true, false]) {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }
}"""


@pytest.fixture
def dying(visit: Any, viewer: User, job: Any) -> tuple[Page, DeadLine]:
    """A page whose line has died after ten lines, and that missed five; its clock is ours."""
    page = visit(viewer).page
    line = DeadLine(page)
    tell(job, 0, 10)
    page.clock.install()
    page.goto(f"{visit(viewer).base}/imports/{job.pk}/")
    assert shown(page, 10) == expected(10)
    tell(job, 10, 11)
    assert shown(page, 11) == expected(11)
    line.is_dead = True
    tell(job, 11, 15)
    page.wait_for_timeout(1_500)
    assert shown(page, 11) == expected(11)
    return page, line


def test_a_line_that_died_silently_is_left_once_the_store_knows_more(
    dying: tuple[Page, DeadLine],
) -> None:
    page, line = dying
    page.clock.fast_forward(21_000)
    assert shown(page, 15) == expected(15)
    assert line.opened == 2


@pytest.mark.parametrize("wake", [_WAKE, "dispatchEvent(new Event('online'))"])
def test_a_page_that_wakes_up_does_not_trust_its_line(
    dying: tuple[Page, DeadLine], wake: str, job: Any
) -> None:
    page, line = dying
    page.clock.fast_forward(4_000)
    page.evaluate(wake)
    assert shown(page, 15) == expected(15)
    tell(job, 15, 18)
    assert shown(page, 18) == expected(18)
    assert line.opened == 2


def test_a_line_with_nothing_to_say_is_kept(visit: Any, viewer: User, job: Any) -> None:
    visitor = visit(viewer)
    line = DeadLine(visitor.page)
    visitor.page.clock.install()
    tell(job, 0, 5)
    page = visitor.open(f"/imports/{job.pk}/")
    assert shown(page, 5) == expected(5)
    asked: list[str] = []
    page.on(
        "request", lambda request: asked.append(request.url) if "/events/" in request.url else 0
    )
    for seconds in (21, 21, 25, 30, 60):  # after 20, 40 and 80 seconds of nothing
        page.clock.fast_forward(seconds * 1000)
        page.wait_for_timeout(300)
    assert len(asked) == 3
    assert line.opened == 1


def test_a_paused_log_stands_still_and_catches_up(visit: Any, viewer: User, job: Any) -> None:
    page = visit(viewer).open(f"/imports/{job.pk}/")
    tell(job, 0, 5)
    assert shown(page, 5) == expected(5)
    page.click("[data-log-pause]")
    tell(job, 5, 10)
    page.locator("[data-log-count]", has_text="10").wait_for()
    assert len(shown(page, 5)) == 5
    page.click("[data-log-pause]")
    assert shown(page, 10) == expected(10)
