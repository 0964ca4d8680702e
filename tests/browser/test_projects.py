"""Projects by hand: make, change, share, delete."""

from typing import Any

from accounts.models import User
from projects.models import Project


def test_the_first_visit_leads_to_a_first_project(visit: Any, outsider: User) -> None:
    visitor = visit(outsider)
    page = visitor.open("/")
    page.click("main a.btn-primary")
    page.fill("[name=name]", "Kệ bia")
    page.click("main button.btn-primary")
    page.wait_for_url("**/projects/*-*/")
    assert page.inner_text("h1") == "Kệ bia"
    steps = page.locator("#steps .step")
    assert steps.count() == 3
    assert "is-next" in (steps.nth(0).get_attribute("class") or "")


def test_an_owner_adds_a_member_and_changes_its_role(
    visit: Any, owner: User, outsider: User, project: Project
) -> None:
    visitor = visit(owner)
    page = visitor.open(f"/projects/{project.pk}/members/")
    page.fill("[name=username]", "outsider")
    page.select_option("form:has([name=username]) [name=role]", "viewer")
    page.click("main button.btn-primary")
    line = page.locator("li", has_text="outsider")
    line.locator("select").select_option("editor")
    line.locator("form.inline-form button").click()
    page.wait_for_selector(".notice.is-good")
    assert project.memberships.get(user=outsider).role == "editor"


def test_a_project_goes_only_when_its_name_is_typed(
    visit: Any, owner: User, project: Project
) -> None:
    visitor = visit(owner)
    page = visitor.open(f"/projects/{project.pk}/delete/")
    page.fill("[name=name]", "another")
    page.click("button.btn-danger")
    page.wait_for_selector(".field-error")
    page.fill("[name=name]", project.name)
    page.click("button.btn-danger")
    page.wait_for_url(f"{visitor.base}/")
    assert not Project.objects.filter(pk=project.pk).exists()


def test_a_token_is_shown_once(visit: Any, owner: User) -> None:
    page = visit(owner).open("/account/tokens/")
    page.fill("[name=name]", "eSales")
    page.click("main button.btn-primary")
    secret = page.locator("#secret").inner_text().strip()
    assert len(secret) > 30
    page.goto(page.url)
    assert secret not in page.content()
    assert "eSales" in page.content()
