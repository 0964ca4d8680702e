"""Classes by hand: two that are one become one, and the next version says so."""

from typing import Any

import pytest

from accounts.models import User
from datasets.models import DatasetVersion
from projects.models import Project
from tests.browser.material import make_gallery
from tests.browser.visitor import DESK, PHONE


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_two_classes_become_one_with_a_button(
    visit: Any, editor: User, project: Project, width: int
) -> None:
    version = make_gallery(project)
    version.classes.filter(index=1).update(name="Can")
    boxes = version.boxes
    visitor = visit(editor, width=width, language="en")
    page = visitor.open(f"/dataset-versions/{version.pk}/")
    page.click("text=Change classes")
    page.wait_for_url("**/review/")

    line = page.locator("[data-classes] > li").nth(1)
    button = line.locator("[data-merge]")
    assert button.inner_text().strip() == "The same as can"
    button.click()
    assert line.locator("[name=name]").input_value() == "can"
    assert button.is_disabled()
    assert visitor.problems() == []
    page.click("button[form=review]")

    page.wait_for_url(lambda url: str(version.pk) not in url)
    made = DatasetVersion.objects.get(number=2)
    assert visitor.path == f"/dataset-versions/{made.pk}/"
    assert list(made.classes.values_list("name", "boxes")) == [("can", boxes)]
    head = page.locator("main header").inner_text()
    assert "v1 with other classes or boxes" in head and "Can → can" in head
    page.click("main header >> text=v1")
    page.wait_for_url(f"**/dataset-versions/{version.pk}/")
