"""Signing in and out, and the language that follows the person."""

from typing import Any

from accounts.models import User
from tests.factories import PASSWORD


def test_a_person_signs_in_and_out(visit: Any, owner: User) -> None:
    visitor = visit()
    page = visitor.open("/")
    assert visitor.path == "/accounts/login/"
    page.fill("[name=login]", "owner")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{visitor.base}/")
    page.click("header summary >> nth=-1")
    page.click("form[action='/accounts/logout/'] button")
    page.wait_for_url("**/accounts/login/**")


def test_a_wrong_password_is_told_beside_the_form(visit: Any, owner: User) -> None:
    visitor = visit()
    page = visitor.open("/accounts/login/")
    page.fill("[name=login]", "owner")
    page.fill("[name=password]", "something else")
    page.press("[name=password]", "Enter")
    assert page.locator("[role=alert]").inner_text().strip()
    assert page.input_value("[name=login]") == "owner"


def test_the_language_changes_at_once_and_stays(visit: Any, owner: User) -> None:
    visitor = visit(owner, language="vi")
    page = visitor.open("/account/")
    assert page.get_attribute("html", "lang") == "vi"
    page.click("header button[name=language]")
    page.wait_for_selector("html[lang=en]")
    assert visitor.path == "/account/"
    owner.refresh_from_db()
    assert owner.language == "en"
    assert visit(owner, language="vi").open("/").get_attribute("html", "lang") == "en"


def test_the_theme_is_chosen_without_a_request_and_stays(visit: Any, owner: User) -> None:
    page = visit(owner).open("/account/")
    page.click("main [data-theme-choice=dark]")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    page.reload()
    assert page.get_attribute("html", "data-bs-theme") == "dark"
