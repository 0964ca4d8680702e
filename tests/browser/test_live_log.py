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
