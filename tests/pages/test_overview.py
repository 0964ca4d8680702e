"""The page of a project: its newest data and runs, the model in use, its people."""

from typing import Any

from django.urls import reverse

from accounts.models import User
from projects.models import Project
from tests.factories import (
    make_evaluation,
    make_import,
    make_member,
    make_model,
    make_run,
    make_user,
)
from tests.pages.conftest import Visit


def page_of(project: Project, client: Any) -> str:
    text: str = client.get(reverse("project_overview", args=[project.pk])).content.decode()
    return text


def test_runs_are_shown_with_their_best_figures(
    client_of: Visit, viewer: User, project: Project
) -> None:
    make_run(project, name="Good", status="succeeded", best={"map50": 0.876})
    make_run(project, name="Waiting")
    text = page_of(project, client_of(viewer))
    assert "Good" in text and "mAP50 0.88" in text
    assert "Waiting" in text


def test_the_model_in_use_is_shown_with_what_it_counts_right(
    client_of: Visit, viewer: User, project: Project
) -> None:
    client = client_of(viewer)
    assert "The first training makes the first model" in page_of(project, client)
    model = make_model(project, name="Cans")
    assert "put it into use there" in page_of(project, client)
    model.stage = "production"
    model.save()
    assert "Nobody has yet compared" in page_of(project, client)
    for right, status in ((40, "succeeded"), (46, "succeeded"), (0, "queued")):
        counts = {"images_right": right, "images": 50}
        make_evaluation(model=model, status=status, result={"counts": counts})
    text = page_of(project, client)
    assert "Counts right in 46 of 50 pictures" in text
    assert "0.90" in text


def test_members_are_shown_with_their_roles(
    client_of: Visit, viewer: User, project: Project
) -> None:
    make_member(project, make_user("huong"), "editor")
    text = page_of(project, client_of(viewer))
    assert "huong" in text and "Editor" in text
    assert f"All {project.memberships.count()} people" in text


def test_more_of_everything_takes_no_more_queries(
    client_of: Visit, viewer: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    def fill() -> None:
        model = make_model(project)
        make_run(project), make_import(project), make_member(project)
        make_evaluation(model=model)

    fill()
    client, queries = client_of(viewer), 0
    with django_assert_max_num_queries(100) as few:
        page_of(project, client)
        queries = len(few)
    for _ in range(3):
        fill()
    with django_assert_max_num_queries(queries):
        page_of(project, client)
