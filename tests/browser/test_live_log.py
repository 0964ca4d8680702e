"""The live page of a job: every line once and in order, whatever happens to the connection."""

from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import User
from datasets.models import Import
from jobs import transitions
from jobs.models import JobEvent
from projects.models import Project
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
