"""The gallery and the picture: boxes, filters in the address, the keyboard."""

from typing import Any

import pytest

from accounts.models import User
from datasets.models import DatasetVersion
from projects.models import Project
from tests.browser.material import make_gallery


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
