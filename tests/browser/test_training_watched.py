"""The page of a run as thousands watch it: it asks for little, and stays true."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from jobs import transitions
from jobs.models import JobEvent
from jobs.states import Status
from projects.models import Project
from tests.browser.visitor import DESK, PHONE, Visitor, wait_for_bell
from tests.factories import make_run, make_worker
from tests.training.test_epochs import message
from training import epochs
from training.models import TrainingRun


@pytest.fixture
def run(project: Project) -> Any:
    """A run that a worker of ours holds."""
    return claim(make_run(project, options={"epochs": 8, "batch": 4, "imgsz": 64}))


def claim(run: Any) -> Any:
    claimed = transitions.claim(TrainingRun, run.pk, worker="test")
    assert claimed is not None
    return claimed


def asked(page: Page) -> list[str]:
    """Return what the page asks the server for from now on, as a list that grows."""
    paths: list[str] = []
    kinds = {"fetch", "xhr"}
    page.on(
        "request",
        lambda request: (
            paths.append(request.url.partition("?")[0].split("/", 3)[3])
            if request.resource_type in kinds
            else None
        ),
    )
    return paths


def commit(run: Any, folder: Path, number: int, map50: float, *, is_best: bool = True) -> None:
    epochs.commit(run, [message(folder, number, map50, is_best=is_best)], lambda: None)


def test_epochs_bring_the_best_figures_along_and_nobody_asks(
    visit: Any, viewer: User, run: Any, tmp_path: Path
) -> None:
    page = visit(viewer, language="en").open(f"/training-runs/{run.pk}/")
    wait_for_bell(page)
    paths = asked(page)
    commit(run, tmp_path, 1, 0.25)
    commit(run, tmp_path, 2, 0.75)
    commit(run, tmp_path, 3, 0.5, is_best=False)
    page.locator("[data-charts][data-points='3']").wait_for()
    expect(page.locator("#job [data-best='map50']")).to_have_text("0.75")
    expect(page.locator("[data-best-epoch]")).to_have_text("in epoch 2")
    page.wait_for_timeout(2_500)
    assert paths == []


def test_the_end_is_drawn_from_one_page(visit: Any, viewer: User, run: Any) -> None:
    path = f"training-runs/{run.pk}/"
    page = visit(viewer, language="en").open(f"/{path}")
    wait_for_bell(page)
    page.evaluate("document.querySelector('#results').dataset.isOld = '1'")
    paths = asked(page)
    frames = [(JobEvent.Type.LOG, {"level": "info", "text": "the last line"})]
    transitions.append(run, frames)
    transitions.finish(run, Status.FAILED, error={"code": "disk_full", "params": {}})
    page.locator("#job[data-status='failed']").wait_for()
    page.locator("#results:not([data-is-old])").wait_for()
    page.locator("#bell").wait_for(state="hidden")
    assert paths == [path, "activity/"]


def test_a_page_that_could_not_be_drawn_again_is_asked_for_once_more(
    visit: Any, viewer: User, run: Any
) -> None:
    visitor = visit(viewer)
    visitor.page.clock.install()
    page = visitor.open(f"/training-runs/{run.pk}/")
    wait_for_bell(page)
    failures = ["no connection", "bad gateway"]

    def answer(route: Route) -> None:
        failure = failures.pop(0) if failures else ""
        if failure == "no connection":
            route.abort()
        elif failure:
            route.fulfill(status=502)
        else:
            route.fallback()

    page.route(f"**/training-runs/{run.pk}/", answer)
    transitions.finish(run, Status.SUCCEEDED)
    for left in (1, 0):
        while len(failures) > left:
            page.wait_for_timeout(50)
        page.wait_for_timeout(200)
        page.clock.fast_forward(18_000)
    page.locator("#job[data-status='succeeded']").wait_for()


def test_a_run_that_somebody_else_lets_go_on_is_followed_again(
    visit: Any, viewer: User, run: Any, tmp_path: Path
) -> None:
    visitor = visit(viewer, language="en")
    visitor.page.clock.install()
    page = visitor.open(f"/training-runs/{run.pk}/")
    commit(run, tmp_path, 1, 0.25)
    transitions.finish(run, Status.CANCELED)
    page.locator("#job[data-status='canceled']").wait_for()
    page.locator("#bell").wait_for(state="hidden")
    wait_for_bell(page)
    page.evaluate("window.isSamePage = true")

    run.refresh_from_db()
    transitions.requeue(run)
    again = claim(run)
    commit(again, tmp_path, 2, 0.5)
    page.clock.fast_forward(31_000)  # the next look of the bell
    page.locator("#job[data-status='running']").wait_for()
    page.locator("[data-charts][data-points='2']").wait_for()
    transitions.finish(again, Status.SUCCEEDED)
    page.locator("#job[data-status='succeeded']").wait_for()
    assert page.evaluate("window.isSamePage") is True


@pytest.mark.parametrize(
    ("width", "language", "said"),
    [
        (PHONE, "vi", "Thứ {n} trong hàng đợi"),
        (DESK, "en", "Number {n} in the queue"),
    ],
)
def test_a_waiting_run_shows_its_place_as_it_changes(
    visit: Any, viewer: User, project: Project, width: int, language: str, said: str
) -> None:
    make_worker()
    before, run = make_run(project), make_run(project)
    visitor: Visitor = visit(viewer, width=width, language=language)
    visitor.page.clock.install()
    page = visitor.open(f"/training-runs/{run.pk}/")
    place = page.locator("#job [data-queue-position]")
    expect(place).to_contain_text(said.format(n=2))
    visitor.shoot(f"waiting-{width}-{language}")
    claim(before)
    page.clock.fast_forward(20_000)
    expect(place).to_contain_text(said.format(n=1))
    assert visitor.problems() == []
    visitor.shoot(f"waiting-first-{width}-{language}")
    claim(run)
    place.wait_for(state="detached")
    wait_for_bell(page)
    paths = asked(page)
    page.clock.fast_forward(20_000)
    page.wait_for_timeout(500)
    assert f"training-runs/{run.pk}/queue/" not in paths


@pytest.mark.parametrize(
    ("width", "language", "said"),
    [
        (PHONE, "vi", "thứ 1 trong hàng đợi · Hiện không có máy nào nhận huấn luyện."),
        (DESK, "en", "number 1 in the queue · No worker takes trainings now."),
    ],
)
def test_the_list_says_where_an_interrupted_run_waits(
    visit: Any, viewer: User, run: Any, width: int, language: str, said: str
) -> None:
    make_run(run.project)
    visitor: Visitor = visit(viewer, width=width, language=language)
    page = visitor.open(f"/projects/{run.project.pk}/training/")
    line = page.locator("#active-runs li", has_text=run.name)
    expect(line).not_to_contain_text(said)
    transitions.take_back(run)
    expect(line).to_contain_text(said)
    assert visitor.problems() == []
    visitor.shoot(f"list-{width}-{language}")
