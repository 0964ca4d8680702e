"""The bell while things begin and end: it renews itself, and an open list stays open."""

from typing import Any

from accounts.models import User
from projects.models import Project
from tests.factories import make_run
from training.models import TrainingRun

#: How often the bell asks while something runs, and some more.
_NEXT_LOOK = 12_000


def test_an_open_list_is_renewed_and_stays_open(visit: Any, owner: User, project: Project) -> None:
    first = make_run(project, name="First run")
    page = visit(owner).open("/account/")
    page.click("#bell summary")
    page.locator("#bell a", has_text="First run").focus()
    make_run(project, name="Second run")
    page.locator("#bell a", has_text="Second run").wait_for(timeout=_NEXT_LOOK)
    assert page.inner_text("#bell-count") == "2"
    assert page.evaluate("document.activeElement.textContent").count("First run") == 1
    TrainingRun.objects.exclude(pk=first.pk).delete()
    page.locator("#bell a", has_text="Second run").wait_for(state="detached", timeout=_NEXT_LOOK)
    assert page.locator("#bell a", has_text="First run").is_visible()
    first.delete()
    page.locator("#bell").wait_for(state="hidden", timeout=_NEXT_LOOK)
