"""The page of a run that goes on: speed, machine, their curves, pictures with what is found."""

import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from jobs import transitions
from jobs.models import JobEvent
from jobs.states import Status
from projects.models import Project
from tests.browser.material import make_gallery
from tests.browser.visitor import PHONE, wait_for_bell
from tests.factories import make_run
from tests.training.test_attempt import epoch_message
from training import epochs
from training.models import TrainingRun

_GPU = {
    "gpu_use": 87.0,
    "gpu_memory_used_mb": 12_600.0,
    "gpu_memory_total_mb": 81_920.0,
    "gpu_temperature": 63.0,
    "gpu_power": 312.4,
}
_CPU = {"cpu_use": 91.5, "memory_mb": 2150.0}


@pytest.fixture
def run(project: Project) -> Any:
    """A run that a worker of ours holds, on a version with two validation pictures."""
    version = make_gallery(project)
    waiting = make_run(project, dataset_version=version, options={"epochs": 8, "patience": 3})
    claimed = transitions.claim(TrainingRun, waiting.pk, worker="test")
    assert claimed is not None
    return claimed


def go(run: Any, **more: Any) -> None:
    """Say how far the run is."""
    state = {"phase": "train", "done": 1, "total": 8, "percent": 15.0, "eta_seconds": 90.0}
    state |= {"epoch": 2, "batch": 2, "batches": 5, **more}
    transitions.append(run, [(JobEvent.Type.PROGRESS, state)], progress=state)


def finish_epoch(
    run: Any, folder: Path, number: int, *, found: int = 0, is_best: bool = False, **more: Any
) -> None:
    """Commit an epoch as the supervisor does, with what was found on two pictures."""
    box = [0, 0.9, 0.1, 0.2, 0.5, 0.8]
    pictures = [{"file": f"{n:07d}", "boxes": [box] * found} for n in range(2)]
    message = {**epoch_message(folder, number), "pictures": pictures, "is_best": is_best, **more}
    epochs.commit(run, [message], lambda: None)


def readings(page: Page) -> list[str]:
    lines = page.locator("[data-run-readings] > li:visible")
    return [text.replace("\xa0", " ") for text in lines.all_inner_texts()]


def test_speed_and_machine_are_told_as_they_change(visit: Any, viewer: User, run: Any) -> None:
    go(run, images_per_second=203.4, eta_is_most=True, **_GPU, **_CPU)
    page = visit(viewer, language="en").open(f"/training-runs/{run.pk}/")
    page.locator("[data-reading='gpu']").wait_for()
    assert readings(page) == [
        "203 pictures a second", "GPU 87 %", "GPU memory 12 of 80 GB", "63 °C", "312 W",
    ]  # fmt: skip
    go(run, images_per_second=4.25, eta_is_most=False, **_CPU)
    expect(page.locator("[data-reading='images']")).to_have_text("4.3 pictures a second")
    assert readings(page) == ["4.3 pictures a second", "Processor 91 %", "Memory 2.1 GB"]
    eta = page.locator("[data-progress-eta]")
    expect(eta).to_have_text("about 2 minutes left")
    go(run, eta_is_most=True)
    expect(eta).to_have_text("at most about 2 minutes left")
    assert readings(page) == []


def test_what_was_measured_has_a_curve(visit: Any, viewer: User, run: Any, tmp_path: Path) -> None:
    page = visit(viewer, language="en").open(f"/training-runs/{run.pk}/")
    finish_epoch(run, tmp_path, 1, machine=_CPU)
    page.locator("[data-chart='processor'] canvas").wait_for()
    assert page.locator("[data-chart='gpu']").is_hidden()
    finish_epoch(run, tmp_path, 2, machine={**_GPU, **_CPU})
    page.locator("[data-chart='gpu'] canvas").wait_for()
    assert page.locator("[data-chart='processor']").is_hidden()
    legend = page.locator("[data-chart-card='gpu'] .u-legend").inner_text()
    assert "87" in legend
    assert "15.38" in legend


def test_pictures_come_with_what_is_found_on_them(
    visit: Any, viewer: User, run: Any, tmp_path: Path
) -> None:
    visitor = visit(viewer, language="en", width=PHONE)
    page = visitor.open(f"/training-runs/{run.pk}/")
    section = page.locator("[data-looks]")
    assert section.is_hidden()
    finish_epoch(run, tmp_path, 1, found=2, is_best=True)
    section.wait_for()
    section.scroll_into_view_if_needed()
    large = section.locator("[data-look-picture]")
    assert large.locator(".is-truth").count() == 1
    assert large.locator(".boxes:not(.is-truth)").count() == 2
    assert "kệ-0.jpg: 2 found, 1 really there" in section.inner_text()
    assert "can 90 %" in large.text_content().replace("\xa0", " ")
    assert section.locator("[data-look-kinds] button").all_inner_texts() == ["Best: epoch 1"]

    finish_epoch(run, tmp_path, 2, found=3)
    newest = section.locator("[data-kind='last']")
    expect(newest).to_have_text("Newest: epoch 2", timeout=10_000)
    expect(newest).to_have_attribute("aria-pressed", "true")
    expect(large.locator(".boxes:not(.is-truth)")).to_have_count(3)
    section.locator("[data-at='1']").click()
    expect(section.locator("#looks-caption")).to_have_text("kệ-1.jpg: 3 found, 2 really there")
    section.locator("[data-kind='best']").click()
    expect(section.locator("#looks-caption")).to_have_text("kệ-1.jpg: 2 found, 2 really there")
    assert visitor.problems() == []


def test_quick_epochs_ask_for_pictures_once_in_a_while(
    visit: Any, viewer: User, run: Any, tmp_path: Path
) -> None:
    finish_epoch(run, tmp_path, 1, found=1)
    visitor = visit(viewer)
    asked: list[str] = []
    visitor.page.on(
        "request", lambda request: asked.append(request.url) if "/pictures/" in request.url else 0
    )
    page = visitor.open(f"/training-runs/{run.pk}/")
    page.locator("[data-looks]").scroll_into_view_if_needed()
    for number in range(2, 8):
        finish_epoch(run, tmp_path, number, found=1)
    expect(page.locator("[data-kind='last']")).to_contain_text("7", timeout=12_000)
    assert len(asked) <= 3


_STUB = """
class Stub {
  static permission = "default";
  static async requestPermission() { return (Stub.permission = "PERMISSION"); }
  constructor(title, options) {
    const told = JSON.parse(localStorage.getItem("told") ?? "[]");
    localStorage.setItem("told", JSON.stringify([...told, [title, options.tag]]));
  }
}
if (localStorage.getItem("asked")) Stub.permission = "PERMISSION";
window.Notification = Stub;
"""


def with_notifications(visitor: Any, permission: str) -> None:
    """Have a browser that notes what it would show: a headless one has nowhere to show it."""
    visitor.page.context.add_init_script(_STUB.replace("PERMISSION", permission))


def wait_told(page: Page, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not told(page):
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)


def told(page: Page) -> Any:
    return page.evaluate("JSON.parse(localStorage.getItem('told') ?? '[]')")


def test_whoever_asks_is_told_of_the_end_on_any_page(visit: Any, viewer: User, run: Any) -> None:
    visitor = visit(viewer, language="en", width=PHONE)
    with_notifications(visitor, "granted")
    visitor.page.clock.install()
    page = visitor.open(f"/training-runs/{run.pk}/")
    button = page.locator("[data-tell-me] button")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.evaluate("localStorage.setItem('asked', '1')")
    assert visitor.problems() == []
    page = visitor.open("/account/")
    page.locator("#bell-list a").wait_for(state="attached")
    wait_for_bell(page)
    assert told(page) == []
    transitions.finish(run, Status.SUCCEEDED)
    page.clock.fast_forward(31_000)  # the next look of the bell
    wait_told(page, seconds=4)
    assert told(page) == [[f"{run.name} has succeeded", f"training-runs/{run.pk}"]]
    visitor.open("/")
    page.locator("#bell-count").wait_for(state="attached")
    page.wait_for_timeout(500)
    assert len(told(page)) == 1


def test_on_its_own_page_the_end_is_told_at_once(visit: Any, viewer: User, run: Any) -> None:
    visitor = visit(viewer, language="en")
    with_notifications(visitor, "granted")
    page = visitor.open(f"/training-runs/{run.pk}/")
    page.locator("[data-tell-me] button").click()
    expect(page.locator("[data-tell-me-state]")).to_contain_text("You are told")
    transitions.finish(run, Status.FAILED, error={"code": "disk_full", "params": {}})
    wait_told(page, seconds=4)
    assert told(page)[0][0] == f"{run.name} has failed"


def test_a_browser_that_refuses_says_so(visit: Any, viewer: User, run: Any) -> None:
    visitor = visit(viewer, language="en")
    with_notifications(visitor, "denied")
    page = visitor.open(f"/training-runs/{run.pk}/")
    page.locator("[data-tell-me] button").click()
    expect(page.locator("[data-tell-me-state]")).to_contain_text("allow notifications")
    assert page.evaluate("localStorage.getItem('cvt-tell-me')") in {None, "{}"}


def test_it_can_be_taken_back(visit: Any, viewer: User, run: Any) -> None:
    visitor = visit(viewer, language="en")
    with_notifications(visitor, "granted")
    page = visitor.open(f"/training-runs/{run.pk}/")
    button = page.locator("[data-tell-me] button")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("localStorage.getItem('cvt-tell-me')") == "{}"
