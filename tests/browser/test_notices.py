"""Notifications where pages may not show them, and letters where nothing can."""

from typing import Any

import pytest
from playwright.sync_api import Page, Worker, expect

from accounts.models import User
from jobs import transitions
from jobs.states import Status
from projects.models import Project
from tests.browser.visitor import PHONE
from tests.factories import make_run
from tests.services.programs import Programs, free_port
from training.models import TrainingRun

#: As Chrome on Android does it.
_REFUSES_PAGES = """
window.Notification = class {
  static permission = "granted";
  static async requestPermission() { return "granted"; }
  constructor() { throw new TypeError("Illegal constructor."); }
};
"""
_NO_WORKERS = "Object.defineProperty(navigator, 'serviceWorker', { value: undefined });"
_SHOWN = """async () => {
  const [registration] = await navigator.serviceWorker.getRegistrations();
  const shown = (await registration?.getNotifications()) ?? [];
  return shown.map(({ title, tag, data }) => [title, tag, data.path]);
}"""
_PRESS = """(path) => new Promise((done) => {
  const event = new ExtendableEvent("notificationclick");
  event.notification = { close() {}, data: { path } };
  clients.openWindow = async (to) => done(to);
  dispatchEvent(event);
})"""


@pytest.fixture
def run(project: Project) -> Any:
    """A run that a worker of ours holds."""
    waiting = make_run(project)
    claimed = transitions.claim(TrainingRun, waiting.pk, worker="test")
    assert claimed is not None
    return claimed


def ask_to_be_told(page: Page) -> None:
    page.locator("[data-tell-me] button").click()


def wait_shown(page: Page) -> Any:
    for _ in range(100):
        if found := page.evaluate(_SHOWN):
            return found
        page.wait_for_timeout(100)
    raise AssertionError("nothing was shown")


def test_a_phone_shows_it_by_the_service_worker(visit: Any, viewer: User, run: Any) -> None:
    visitor = visit(viewer, language="en", width=PHONE)
    visitor.page.context.grant_permissions(["notifications"])
    visitor.page.add_init_script(_REFUSES_PAGES)
    page = visitor.open(f"/training-runs/{run.pk}/")
    ask_to_be_told(page)
    expect(page.locator("[data-tell-me-state]")).to_contain_text("You are told")
    transitions.finish(run, Status.SUCCEEDED)
    path = f"/training-runs/{run.pk}/"
    assert wait_shown(page) == [[f"{run.name} has succeeded", f"training-runs/{run.pk}", path]]

    [worker] = page.context.service_workers
    assert isinstance(worker, Worker)
    visitor.open("/account/")
    assert worker.evaluate(_PRESS, path) == path


def test_where_nothing_can_be_shown_letters_are_offered(
    visit: Any, viewer: User, run: Any, programs: Programs
) -> None:
    visitor = visit(viewer, language="en", width=PHONE)
    port = free_port()
    programs.web(port, EMAIL_FROM="cv@shop.example")
    visitor.base = f"http://127.0.0.1:{port}"
    visitor.page.add_init_script(_REFUSES_PAGES + _NO_WORKERS)
    page = visitor.open(f"/training-runs/{run.pk}/")
    ask_to_be_told(page)
    expect(page.locator("[data-tell-me-state]")).to_have_text(
        "This browser cannot show notifications."
    )
    assert page.evaluate("localStorage.getItem('cvt-tell-me')") in {None, "{}"}
    assert visitor.problems() == []
    page.get_by_role("link", name="Be told by e-mail").click()
    page.wait_for_url("**/account/#letters-title")


def test_without_letters_nothing_is_offered_that_does_not_work(
    visit: Any, viewer: User, run: Any
) -> None:
    visitor = visit(viewer)
    visitor.page.add_init_script("delete window.Notification;")
    page = visitor.open(f"/training-runs/{run.pk}/")
    page.locator("[data-log-lines]").wait_for()
    page.wait_for_timeout(300)
    assert page.locator("[data-tell-me]").is_hidden()
