"""The gallery and the picture: boxes, filters in the address, the keyboard."""

from typing import Any

import pytest

from accounts.models import User
from datasets.models import DatasetVersion
from projects.models import Project
from tests.browser.material import make_gallery
from tests.browser.visitor import PHONE


@pytest.fixture
def version(project: Project) -> DatasetVersion:
    """Six pictures; the first two are for validation."""
    return make_gallery(project)


def test_pictures_are_shown_with_their_boxes(
    visit: Any, viewer: User, version: DatasetVersion
) -> None:
    page = visit(viewer).open(f"/dataset-versions/{version.pk}/images/")
    assert page.locator(".tile").count() == 6
    assert page.locator(".tile >> nth=1").locator("rect").count() == 2
    page.wait_for_load_state("networkidle")
    loaded = "[...document.images].every((image) => image.complete && image.naturalWidth)"
    assert page.evaluate(loaded)


def test_a_filter_stands_in_the_address(visit: Any, viewer: User, version: DatasetVersion) -> None:
    visitor = visit(viewer)
    page = visitor.open(f"/dataset-versions/{version.pk}/images/")
    page.select_option("[name=class]", "1")
    page.wait_for_url("**/images/?class=1")
    assert page.locator(".tile").count() == 3
    page.select_option("[name=split]", "val")
    page.wait_for_url("**split=val**")
    assert page.locator(".tile").count() == 1
    page.go_back()
    page.wait_for_url("**/images/?class=1")
    assert page.locator(".tile").count() == 3


def test_the_keyboard_leads_through_the_gallery(
    visit: Any, viewer: User, version: DatasetVersion
) -> None:
    visitor = visit(viewer)
    page = visitor.open(f"/dataset-versions/{version.pk}/images/?split=train")

    def at(name: str) -> None:
        page.wait_for_selector(f"h1:has-text('{name}')")
        page.wait_for_load_state()

    page.focus(".tile >> nth=0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**/images/*-*/?split=train")
    at("kệ-3.jpg")
    page.keyboard.press("ArrowRight")
    at("kệ-4.jpg")
    page.keyboard.press("ArrowLeft")
    at("kệ-3.jpg")
    page.keyboard.press("Escape")
    page.wait_for_url(f"**/dataset-versions/{version.pk}/images/?split=train")


def test_a_class_can_be_looked_at_alone_and_the_picture_magnified(
    visit: Any, viewer: User, version: DatasetVersion
) -> None:
    image = version.images.get(file_name="kệ-1.jpg")
    page = visit(viewer).open(f"/images/{image.pk}/")
    shown = page.locator("#picture g.boxes:not([hidden])")
    assert shown.count() == 2
    page.click("[data-class='1']")
    assert shown.count() == 1
    before = page.get_attribute("#picture", "viewBox")
    page.click("[data-zoom=in]")
    assert page.get_attribute("#picture", "viewBox") != before


def test_the_keyboard_magnifies_the_picture(
    visit: Any, viewer: User, version: DatasetVersion
) -> None:
    image = version.images.get(file_name="kệ-1.jpg")
    page = visit(viewer).open(f"/images/{image.pk}/")
    page.wait_for_selector("#picture g")

    def shown() -> float:
        """Return how wide a part of the picture is shown."""
        return float((page.get_attribute("#picture", "viewBox") or "").split()[2])

    whole = shown()
    page.keyboard.press("+")
    once = shown()
    page.keyboard.press("+")
    assert whole > once > shown()
    assert once == pytest.approx(whole / 1.5, rel=0.01)
    for _ in range(3):  # not beyond the whole picture
        page.keyboard.press("-")
    assert shown() == pytest.approx(whole)
    page.keyboard.press("Control++")  # that is the browser's own
    assert shown() == pytest.approx(whole)


def test_a_finger_leads_through_the_pictures_and_pinches(
    visit: Any, viewer: User, version: DatasetVersion
) -> None:
    image = version.images.get(file_name="kệ-3.jpg")
    page = visit(viewer, width=PHONE).open(f"/images/{image.pk}/")
    page.wait_for_selector("#picture g")
    touch = Touch(page)

    touch.move([(300, 0)], [(120, 10)])
    page.wait_for_selector("h1:has-text('kệ-4.jpg')")
    page.wait_for_selector("#picture g")
    touch.move([(80, 0)], [(260, 10)])
    page.wait_for_selector("h1:has-text('kệ-3.jpg')")
    page.wait_for_selector("#picture g")

    touch.move([(300, 0)], [(290, 60)])  # down the page: nothing for us
    touch.move([(170, 0), (210, 0)], [(90, 0), (300, 0)])
    page.wait_for_selector("#picture.is-zoomed")
    before = page.get_attribute("#picture", "viewBox")
    touch.move([(300, 0)], [(120, 10)])  # moves what is magnified
    assert page.get_attribute("#picture", "viewBox") != before
    assert "kệ-3.jpg" in page.inner_text("h1")


class Touch:
    """Fingers on the picture; places are pixels from the left edge, and from its middle down."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)

    def move(self, start: list[tuple[int, int]], end: list[tuple[int, int]]) -> None:
        """Put fingers down, move them in some steps, and lift them."""
        box = self._page.locator("#picture").bounding_box()
        middle = box["y"] + box["height"] / 2
        for step in range(9):
            share = step / 8
            points = [
                {"x": x + (to_x - x) * share, "y": middle + y + (to_y - y) * share, "id": finger}
                for finger, ((x, y), (to_x, to_y)) in enumerate(zip(start, end, strict=True))
            ]
            self._send("touchMove" if step else "touchStart", points)
        self._send("touchEnd", [])

    def _send(self, kind: str, points: list[dict[str, float]]) -> None:
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
