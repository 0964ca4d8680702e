"""The page of a run: log, curves and figures grow while it is open; nothing on it is untrue."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from accounts.models import User
from jobs import transitions
from jobs.models import JobEvent
from jobs.states import Status
from projects.models import Project
from tests.factories import make_model, make_run
from training import epochs
from training.models import EpochMetrics, TrainingRun

_OPTIONS = {"epochs": 8, "batch": 4, "imgsz": 64}


@pytest.fixture
def run(project: Project) -> Any:
    """A run that a worker of ours holds."""
    waiting = make_run(project, options=_OPTIONS)
    claimed = transitions.claim(TrainingRun, waiting.pk, worker="test")
    assert claimed is not None
    return claimed


def tell(run: Any, text: str) -> None:
    transitions.append(run, [(JobEvent.Type.LOG, {"level": "info", "text": text})])


def finish_epoch(run: Any, number: int, map50: float) -> None:
    """Commit an epoch as the supervisor does, without weights."""
    val = {"map50": map50, "map50_95": map50 / 2, "precision": 0.7, "recall": 0.6}
    row = EpochMetrics.objects.create(
        run=run,
        epoch=number,
        attempt=run.attempt,
        train={"box_loss": 2.0, "cls_loss": 1.5, "dfl_loss": 1.0},
        val={**val, "box_loss": 2.2, "cls_loss": 1.7, "dfl_loss": 1.1},
        lr=0.01 / number,
        seconds=3.0,
    )
    frames = [(JobEvent.Type.EPOCH, epochs.row(row))]
    transitions.append(run, frames, epoch=number, best={"epoch": number, **val})
    run.epoch = number


def go(run: Any, epoch: int, percent: float) -> None:
    """Say how far the run is."""
    state = {"phase": "train", "done": epoch - 1, "total": 8, "percent": percent}
    state |= {"epoch": epoch, "batch": 2, "batches": 5, "eta_seconds": 90.0}
    transitions.append(run, [(JobEvent.Type.PROGRESS, state)], progress=state)


def wait_points(page: Page, count: int) -> None:
    page.locator(f"[data-charts][data-points='{count}']").wait_for()


def test_log_curves_and_figures_grow_without_reloading(visit: Any, viewer: User, run: Any) -> None:
    finish_epoch(run, 1, 0.25)
    tell(run, "first line")
    page = visit(viewer, language="en").open(f"/training-runs/{run.pk}/")
    wait_points(page, 1)
    page.evaluate("window.isSamePage = true")
    go(run, 2, 15.5)
    page.locator("[data-run-epoch]", has_text="2").wait_for()
    tell(run, "second line")
    finish_epoch(run, 2, 0.5)
    finish_epoch(run, 3, 0.75)
    wait_points(page, 3)
    page.locator("[data-log-lines] > div", has_text="second line").wait_for()
    page.locator("[data-best='map50']", has_text="75").wait_for()
    assert "15" in page.locator("[data-progress-percent]").inner_text()
    assert page.locator("[data-progress-eta]").inner_text().strip()
    assert page.locator(".chart canvas").count() == 4
    assert page.evaluate("window.isSamePage") is True


def prepare(run: Any, pictures: int) -> None:
    """Say how many pictures are at training size."""
    state = {"phase": "prepare_pictures", "done": 0, "total": 8, "percent": 0.0}
    state |= {"batch": pictures, "batches": 5000, "eta_seconds": None}
    transitions.append(run, [(JobEvent.Type.PROGRESS, state)], progress=state)


def test_while_pictures_are_prepared_it_is_said_how_many(
    visit: Any, viewer: User, run: Any
) -> None:
    prepare(run, 1000)
    page = visit(viewer).open(f"/training-runs/{run.pk}/")
    place = page.locator("[data-run-batch]")
    assert "000" in place.inner_text()
    assert "{" not in place.inner_text()
    prepare(run, 2345)
    page.locator("[data-run-batch]", has_text="345").wait_for()
    assert page.locator("[data-progress-phase]").inner_text() == "Đang chuẩn bị ảnh"
    go(run, 1, 3.0)
    page.locator("[data-run-batch]", has_text="lô 2").wait_for()


def test_the_table_says_what_the_curves_show(visit: Any, viewer: User, run: Any) -> None:
    finish_epoch(run, 1, 0.25)
    finish_epoch(run, 2, 0.5)
    page = visit(viewer, language="en").open(f"/training-runs/{run.pk}/")
    wait_points(page, 2)
    page.click("[data-epoch-fold] summary")
    rows = page.locator("[data-epoch-rows] tr")
    rows.nth(1).wait_for()
    assert [rows.nth(n).locator("td").nth(1).inner_text() for n in range(2)] == ["0.5", "0.25"]


def test_a_run_that_went_on_says_from_where_and_is_followed_to_its_end(
    visit: Any, editor: User, run: Any
) -> None:
    finish_epoch(run, 1, 0.25)
    transitions.finish(run, Status.FAILED, error={"code": "disk_full", "params": {}})
    transitions.requeue(run)
    again: Any = transitions.claim(TrainingRun, run.pk, worker="test")
    page = visit(editor).open(f"/training-runs/{run.pk}/")
    page.locator("[data-went-on-after='1']").wait_for()
    go(again, 2, 20.0)
    page.locator("[data-progress-percent]", has_text="20").wait_for()
    finish_epoch(again, 2, 0.5)
    make_model(again.project, training_run=again)
    transitions.finish(again, Status.SUCCEEDED)
    page.locator("#job[data-status='succeeded']").wait_for()
    assert page.locator("#job a.btn-primary").get_attribute("href").endswith(str(again.model.pk))


def test_the_progress_on_the_page_is_never_older_than_what_is_known(
    visit: Any, viewer: User, run: Any
) -> None:
    for percent in range(0, 60, 2):
        go(run, 1, float(percent))
    visitor = visit(viewer, language="en")
    visitor.page.add_init_script(
        "addEventListener('DOMContentLoaded', () => {"
        "  const place = document.querySelector('[data-progress-percent]');"
        "  window.seen = [place.textContent];"
        "  new MutationObserver(() => window.seen.push(place.textContent))"
        "    .observe(place, {childList: true, characterData: true, subtree: true});"
        "});"
    )
    page = visitor.open(f"/training-runs/{run.pk}/")
    tell(run, "all is replayed")
    page.locator("[data-log-lines] > div", has_text="all is replayed").wait_for()
    assert set(page.evaluate("window.seen")) == {"58 %"}


def test_a_silent_worker_is_told_until_it_is_heard_again(
    visit: Any, viewer: User, run: Any
) -> None:
    go(run, 2, 20.0)
    visitor = visit(viewer, language="en")
    visitor.page.clock.install()
    page = visitor.open(f"/training-runs/{run.pk}/")
    page.locator("[data-progress-percent]", has_text="20").wait_for()
    line = page.locator("#job [data-silence]")
    assert line.is_hidden()

    TrainingRun.objects.update(lease_until=timezone.now() - timedelta(minutes=2))
    page.clock.fast_forward(110_000)

    line.filter(has_text=re.compile(r"Its worker was last heard of 2\sminutes ago\.")).wait_for()
    visitor.shoot("run-silent")
    assert visitor.problems() == []

    transitions.renew(run)
    go(run, 3, 30.0)

    line.wait_for(state="hidden")


def test_a_failed_run_says_what_was_kept_and_goes_on_with_one_click(
    visit: Any, editor: User, run: Any
) -> None:
    finish_epoch(run, 1, 0.25)
    error = {"code": "out_of_memory", "params": {"batch": 4}}
    transitions.finish(run, Status.FAILED, error=error)
    page = visit(editor, language="en").open(f"/training-runs/{run.pk}/")
    assert page.locator("#job [role=alert] p").count() == 2
    assert page.locator(f"#job a[href$='?from={run.pk}']").is_visible()
    assert page.locator("#job [role=alert] .btn").all_inner_texts() == [
        "Go on with batch 2",
        "Choose another base model",
        "Keep the best model so far",
    ]
    page.click("#job [role=alert] button.btn-primary")
    page.locator("#job[data-status='queued']").wait_for()
    run.refresh_from_db()
    assert run.options["batch"] == 2


def test_a_run_is_laid_aside_and_goes_on(visit: Any, editor: User, viewer: User, run: Any) -> None:
    finish_epoch(run, 1, 0.25)
    watching = visit(viewer, language="en").open(f"/training-runs/{run.pk}/")
    page = visit(editor, language="en").open(f"/training-runs/{run.pk}/")
    page.click("form[action$='/pause/'] button")
    page.locator("#job [role=status]", has_text="It pauses").wait_for()
    assert page.locator("form[action$='/stop/'], form[action$='/pause/']").count() == 0
    transitions.take_back(run, counts_as_loss=False)  # its worker has left it
    for seen in (page, watching):
        seen.locator("#job [data-status='paused']", has_text="Paused").wait_for()
    assert watching.locator("#job form").count() == 0
    page.click("#job .choice-lines button.btn-primary")
    for seen in (page, watching):
        seen.locator("#job .badge-status[data-status='queued']").wait_for()
    assert TrainingRun.objects.claimable().filter(pk=run.pk).exists()


def test_stopping_and_cancelling_are_two_things(visit: Any, editor: User, run: Any) -> None:
    page = visit(editor).open(f"/training-runs/{run.pk}/")
    page.click("form[action$='/stop/'] button")
    page.locator("#job[data-status='stopping']").wait_for()
    assert page.locator("form[action$='/stop/']").count() == 0
    page.click("form[action$='/cancel/'] button")
    page.locator("#job").wait_for()
    run.refresh_from_db()
    assert run.status == Status.STOPPING
    assert run.cancel_requested_at is not None
    assert page.locator("form[action$='/cancel/']").count() == 0
