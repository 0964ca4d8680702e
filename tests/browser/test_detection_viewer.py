"""What was found: counts first, and a threshold that asks the server nothing."""

from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import User
from projects.models import Project
from tests.browser.found import make_found
from tests.browser.visitor import PHONE


def counts(page: Page) -> dict[str, list[int]]:
    """Return the counts table: class -> numbers of the columns."""
    page.locator("[data-viewer]:not([aria-busy])").wait_for()
    rows = page.eval_on_selector_all(
        "[data-counts] tr", "rows => rows.map(row => [...row.cells].map(c => c.textContent.trim()))"
    )
    return {name: [int(number) for number in numbers] for name, *numbers in rows}


def boxes(page: Page) -> int:
    return page.locator("#picture g.boxes:not([hidden])").count()


@pytest.fixture
def page(visit: Any, viewer: User, project: Project) -> Page:
    """A detection of two pictures and a broken file."""
    detection = make_found(project, broken=True)
    opened: Page = visit(viewer, language="en").open(f"/detections/{detection.pk}/")
    return opened


def test_the_table_counts_as_the_api_does(page: Page) -> None:
    shown = counts(page)
    answer = page.evaluate(
        "fetch(`/api/v1${location.pathname}?conf=0.25`).then(response => response.json())"
    )
    assert {name: n[1] for name, n in shown.items() if n[1]} == answer["counts"] == {"can": 7}
    assert shown["can"][0] == answer["images"][0]["counts"]["can"] == boxes(page) == 3


def test_the_slider_asks_the_server_for_nothing(page: Page) -> None:
    counts(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#threshold").fill("70")
    assert counts(page)["can"] == [1, 3]
    assert boxes(page) == 1
    page.locator("#threshold").fill("5")
    assert counts(page) == {"can": [3, 7], "bottle": [1, 2]}
    assert boxes(page) == 4
    assert [url for url in asked if "/api/" in url] == []
    assert page.url.endswith("?conf=0.05")
    assert "conf=0.05" in (page.locator("[data-download=csv]").get_attribute("href") or "")


def test_arrow_keys_move_the_slider(page: Page) -> None:
    counts(page)
    page.focus("#threshold")
    page.keyboard.press("ArrowRight")
    assert "26" in page.locator("[data-threshold-value]").inner_text()
    assert page.locator("[data-picture='0']").get_attribute("aria-current") == "true"


def test_a_tapped_class_is_hidden_and_still_counted(page: Page) -> None:
    counts(page)
    can = page.locator("[data-class='0']")
    can.click()
    assert can.get_attribute("aria-pressed") == "false"
    assert boxes(page) == 0
    assert counts(page)["can"] == [3, 7]
    can.click()
    assert boxes(page) == 3


def test_pictures_are_turned_by_keyboard_and_stand_in_the_address(page: Page) -> None:
    counts(page)
    page.keyboard.press("ArrowRight")
    assert counts(page)["can"] == [4, 7]
    assert "picture=2" in page.url
    page.keyboard.press("ArrowRight")
    assert page.locator("[data-picture-error]").is_visible()
    assert not page.locator("#picture").is_visible()
    page.reload()
    assert counts(page)["can"] == [0, 7]
    assert page.locator("[data-picture-error]").is_visible()


def test_a_shared_address_shows_the_same(visit: Any, viewer: User, project: Project) -> None:
    detection = make_found(project)
    page = visit(viewer).open(f"/detections/{detection.pk}/?conf=0.7&picture=2")
    assert counts(page)["can"] == [2, 3]
    assert page.locator("#threshold").input_value() == "70"


def test_the_picture_fits_a_phone(visit: Any, viewer: User, project: Project) -> None:
    detection = make_found(project, pictures=12)
    visitor = visit(viewer, width=PHONE)
    page = visitor.open(f"/detections/{detection.pk}/")
    counts(page)
    assert visitor.overflow() <= 0
    box = page.locator("#picture").bounding_box()
    assert box["width"] <= PHONE
    assert box["height"] <= 844


def test_the_boxes_have_the_colours_of_the_download(page: Page) -> None:
    from detection.rendering import PALETTE

    counts(page)
    colour = "element => getComputedStyle(element).getPropertyValue('--class-color').trim()"
    shown = [page.locator(f"[data-class='{n}'] .swatch").evaluate(colour) for n in (0, 1)]
    assert shown == list(PALETTE[:2])
