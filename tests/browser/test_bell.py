"""The bell while things begin and end: it renews itself, an open list stays open, and few ask."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from jobs import transitions
from jobs.states import Status
from projects.models import Project
from tests.browser.visitor import wait_for_bell
from tests.factories import make_run
from training.models import TrainingRun

#: Longer than from one look of the bell to the next.
_NEXT_LOOK = 31_000
_HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def run(project: Project) -> Any:
    """A run that a worker of ours holds."""
    waiting = make_run(project, name="First run")
    claimed = transitions.claim(TrainingRun, waiting.pk, worker="test")
    assert claimed is not None
    return claimed


def open_with_clock(visitor: Any, path: str) -> Page:
    """Open a page whose time can be made to pass, once the bell has looked for the first time."""
    visitor.page.clock.install()
    with visitor.page.expect_response("**/activity/*"):
        page: Page = visitor.open(path)
    wait_for_bell(page)
    return page


def look(page: Page) -> None:
    """Have the time of the next look come."""
    with page.expect_response("**/activity/*"):
        page.clock.fast_forward(_NEXT_LOOK)
    wait_for_bell(page)


def looks_of(page: Page) -> list[int]:
    """Return the statuses of what the bell is answered from now on, as a list that grows."""
    answers: list[int] = []
    page.on(
        "response",
        lambda answer: answers.append(answer.status) if "/activity/" in answer.url else 0,
    )
    return answers


def test_an_open_list_is_renewed_and_stays_open(visit: Any, owner: User, project: Project) -> None:
    first = make_run(project, name="First run")
    page = open_with_clock(visit(owner), "/account/")
    page.click("#bell summary")
    page.locator("#bell a", has_text="First run").focus()
    make_run(project, name="Second run")
    look(page)
    page.locator("#bell a", has_text="Second run").wait_for()
    assert page.inner_text("#bell-count") == "2"
    assert page.evaluate("document.activeElement.textContent").count("First run") == 1
    TrainingRun.objects.exclude(pk=first.pk).delete()
    look(page)
    page.locator("#bell a", has_text="Second run").wait_for(state="detached")
    assert page.locator("#bell a", has_text="First run").is_visible()
    first.delete()
    look(page)
    page.locator("#bell").wait_for(state="hidden")


def test_what_ended_elsewhere_is_told_at_the_next_look(visit: Any, viewer: User, run: Any) -> None:
    page = open_with_clock(visit(viewer, language="en"), "/account/")
    answers = looks_of(page)
    look(page)
    assert answers == [204], "nothing changed, and nothing is drawn"
    transitions.finish(run, Status.SUCCEEDED)
    look(page)
    page.locator("#toasts .notice", has_text="First run").wait_for()
    page.locator("#bell").wait_for(state="hidden")
    assert answers == [204, 200]


def test_on_its_own_page_an_end_is_in_the_bell_within_seconds(
    visit: Any, viewer: User, run: Any
) -> None:
    page = visit(viewer).open(f"/training-runs/{run.pk}/")
    expect(page.locator("#bell-count")).to_have_text("1")
    transitions.finish(run, Status.SUCCEEDED)
    page.locator("#bell").wait_for(state="hidden", timeout=5_000)
    assert page.locator("#toasts .notice").count() == 0, "the page itself says it"


def test_a_page_that_nobody_sees_asks_once_it_is_seen(visit: Any, viewer: User, run: Any) -> None:
    page = open_with_clock(visit(viewer), "/account/")
    answers = looks_of(page)
    page.evaluate(_HIDE, True)
    transitions.finish(run, Status.SUCCEEDED)
    for _ in range(3):
        page.clock.fast_forward(_NEXT_LOOK)
    page.wait_for_timeout(300)
    assert answers == []
    page.evaluate(_HIDE, False)
    page.locator("#toasts .notice", has_text="First run").wait_for()
    assert answers == [200]


def test_a_page_that_nobody_sees_asks_where_somebody_waits_to_be_told(
    visit: Any, viewer: User, run: Any
) -> None:
    page = open_with_clock(visit(viewer), "/account/")
    page.evaluate(f"localStorage.setItem('cvt-tell-me', '{{\"{run.slug}/{run.pk}\": \"/\"}}')")
    page.evaluate(_HIDE, True)
    look(page)
