"""What a run brought, and runs beside one another, in the hands of a reader."""

from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import User
from jobs import transitions
from jobs.states import Status
from projects.models import Project
from tests.browser.material import make_gallery
from tests.browser.results import FOUND, add_epochs, environment, make_ended
from tests.browser.visitor import PHONE
from tests.factories import make_model, make_predictions, make_run
from training.models import TrainingRun


def open_pictures(page: Page) -> None:
    """Wait until validation pictures are drawn."""
    page.locator("[data-strip] button[data-picture]").first.wait_for()
    page.locator("[data-compared] .boxes").first.wait_for(state="attached")


def boxes(page: Page, css: str) -> int:
    return page.locator(f"[data-view] g.boxes.{css}").count()


def test_mistakes_come_first_and_the_threshold_changes_them(
    visit: Any, viewer: User, project: Project
) -> None:
    run = make_ended(project, make_gallery(project))
    page = visit(viewer, language="en").open(f"/training-runs/{run.pk}/")
    open_pictures(page)
    assert "Counts right in 1 of 2 pictures" in page.locator("#right-title").inner_text()
    name = page.locator("[data-compared] [data-name]")
    assert name.inner_text() == "kệ-1.jpg"
    verdict = page.locator("[data-verdict]")
    assert verdict.inner_text() == "1 missed · 1 wrong · 1 right"
    assert (boxes(page, "is-truth"), boxes(page, "is-said")) == (2, 2)
    assert page.locator("[data-view] g.is-mistake").count() == 2
    assert page.locator("[data-view] .box-label", has_text="missed: bottle").is_visible()
    page.locator("#threshold").fill("10")
    verdict.filter(has_text="1 wrong · 2 right").wait_for()
    page.locator("#threshold").fill("70")
    verdict.filter(has_text="1 missed · 1 right").wait_for()
    page.locator("#threshold").fill("5")
    page.click("[data-only-mistakes]")
    assert page.locator("[data-strip] li:visible").count() == 1
    assert page.url.endswith("?pictures=mistakes")
    page.click("[data-only-mistakes]")
    page.click("[data-step='1']")
    assert name.inner_text() == "kệ-0.jpg"
    assert verdict.inner_text() == "All boxes are right."


def test_results_come_when_the_run_ends_while_its_page_is_open(
    visit: Any, viewer: User, project: Project
) -> None:
    waiting = make_run(project, dataset_version=make_gallery(project))
    run = transitions.claim(TrainingRun, waiting.pk, worker="test")
    assert run is not None
    page = visit(viewer, language="en").open(f"/training-runs/{run.pk}/")
    page.locator("[data-progress]").wait_for()
    page.evaluate("window.isSamePage = true")
    make_predictions(run, FOUND)
    make_model(project, training_run=run, dataset_version=run.dataset_version)
    transitions.finish(run, Status.SUCCEEDED)
    open_pictures(page)
    assert "Counts right in 1 of 2 pictures" in page.locator("#right-title").inner_text()
    assert page.evaluate("window.isSamePage") is True


def test_a_training_is_repeated_by_one_button_once(
    visit: Any, editor: User, project: Project
) -> None:
    run = make_ended(project, make_gallery(project), name="Kệ bia", options={"seed": 5})
    page = visit(editor).open(f"/training-runs/{run.pk}/")
    page.dblclick("form[action$='/repeat/'] button")
    page.locator("#job[data-status='queued']").wait_for()
    again = TrainingRun.objects.exclude(pk=run.pk).get()
    assert (again.name, again.options) == ("Kệ bia (2)", run.options)
    assert page.url.endswith(f"/training-runs/{again.pk}/")


@pytest.fixture
def three(project: Project) -> list[TrainingRun]:
    """Two runs that ended, and one that is on."""
    version = make_gallery(project)
    first = make_ended(project, version, name="Kệ bia, lần đầu", options={"lr0": 0.01})
    other = make_ended(
        project, version, top=0.7, epochs=5, name="Kệ bia 2", options={"batch": 8, "lr0": 0.02}
    )
    on = make_run(
        project,
        dataset_version=version,
        status="running",
        name="Kệ bia 3",
        options={"epochs": 20, "optimizer": "SGD"},
        environment=environment(optimizer="SGD"),
    )
    add_epochs(on, 3, top=0.8)
    return [first, other, on]


def address(project: Project, runs: list[TrainingRun]) -> str:
    query = "&".join(f"run={run.pk}" for run in runs)
    return f"/projects/{project.pk}/training-runs/compare/?{query}"


def wait_points(page: Page, points: str) -> None:
    page.locator(f"[data-charts][data-points='{points}']").wait_for()


def test_runs_are_chosen_in_the_list_and_stand_in_the_address(
    visit: Any, viewer: User, project: Project, three: list[TrainingRun]
) -> None:
    page = visit(viewer, language="en").open(f"/projects/{project.pk}/training/")
    for run in three[:2]:
        page.check(f"#pick-{run.pk}")
    page.click("#compare-form button")
    page.locator("[data-charts][data-points]").wait_for()
    assert all(f"run={run.pk}" in page.url for run in three[:2])
    best = page.locator("[data-row='map50'] td")
    assert [best.nth(n).get_attribute("class").strip() for n in range(2)].count("is-best") == 1
    changed = page.locator("section[aria-labelledby='parameters-title'] > .table-scroll [data-row]")
    names = {changed.nth(n).get_attribute("data-row") for n in range(changed.count())}
    assert {"batch", "lr0"} <= names
    assert "epochs" not in names
    page.click("[data-x='time']")
    assert page.url.endswith("&x=time")
    page.reload()
    page.locator("[data-charts][data-axis='time']").wait_for()
    page.click("text=Choose other runs")
    page.locator("input[name=run]:checked").nth(1).wait_for()


def test_a_comparison_follows_what_is_on_and_loses_nothing_of_the_reader(
    visit: Any, viewer: User, project: Project, three: list[TrainingRun]
) -> None:
    page = visit(viewer, width=PHONE, language="en").open(address(project, three))
    wait_points(page, "8 5 3")
    page.click("#same-parameters summary")
    scroller = page.locator("section[aria-labelledby='figures-title'] .table-scroll")
    scroller.evaluate("node => { node.scrollLeft = 120; node.dataset.mine = '1'; }")
    add_epochs(three[2], 1, top=0.95, first=4)
    wait_points(page, "8 5 4")
    page.locator("[data-row='map50'] td.is-best", has_text="0.95").wait_for()
    assert scroller.evaluate("node => [node.scrollLeft, node.dataset.mine]") == [120, "1"]
    assert page.locator("#same-parameters").evaluate("fold => fold.open") is True
    TrainingRun.objects.filter(pk=three[2].pk).update(
        status="canceled", finished_at=three[2].created_at
    )
    page.locator("#comparison:not([data-active])").wait_for()
    assert page.locator("#same-parameters").evaluate("fold => fold.open") is True
