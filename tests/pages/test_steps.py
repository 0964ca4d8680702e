"""The three steps of a project, each with its state."""

from typing import Any

import pytest

from cvtrainer_site.steps import next_action, steps_by_id
from projects.models import Project
from tests.factories import (
    make_dataset,
    make_detection,
    make_import,
    make_model,
    make_run,
    make_version,
)

pytestmark = pytest.mark.django_db


def states(project: Project) -> list[str]:
    return [step.state for step in steps_by_id(project)]


def test_a_new_project_begins_with_data(project: Project) -> None:
    assert states(project) == ["next", "waiting", "waiting"]
    assert next_action(steps_by_id(project))["url"].endswith("/data/")


def test_an_import_that_is_on_is_seen(project: Project) -> None:
    make_import(project)
    assert states(project) == ["working", "waiting", "waiting"]


def test_a_failed_first_import_is_a_problem(project: Project) -> None:
    version = make_version(make_dataset(project), status="failed")
    make_import(project, version=version, status="failed", error={"code": "internal"})
    assert states(project) == ["problem", "waiting", "waiting"]


def test_data_that_waits_is_to_be_checked(project: Project) -> None:
    dataset = make_dataset(project)
    make_version(dataset, status="review")
    assert states(project) == ["check", "waiting", "waiting"]
    assert next_action(steps_by_id(project))["action"] == "Check and confirm"
    make_version(dataset)
    assert states(project) == ["done", "next", "waiting"]


def test_ready_data_leads_to_training(project: Project) -> None:
    make_version(make_dataset(project))
    assert states(project) == ["done", "next", "waiting"]
    assert next_action(steps_by_id(project))["url"].endswith("/training/")


def test_a_failed_later_import_hides_no_data(project: Project) -> None:
    dataset = make_dataset(project)
    make_version(dataset)
    failed = make_version(dataset, status="failed")
    make_import(project, version=failed, status="failed", error={"code": "internal"})
    assert states(project)[0] == "done"


@pytest.mark.parametrize(
    ("run", "state"), [({}, "working"), ({"status": "failed", "error": {"code": "x"}}, "problem")]
)
def test_a_run_shows_in_the_second_step(project: Project, run: dict[str, Any], state: str) -> None:
    make_run(project, **run)
    assert states(project) == ["done", state, "waiting"]


def test_a_model_leads_to_detection(project: Project) -> None:
    version = make_version(make_dataset(project))
    model = make_model(project, dataset_version=version)
    assert states(project) == ["done", "done", "next"]
    make_detection(project, model=model, status="succeeded")
    assert states(project) == ["done", "done", "done"]


def test_another_project_changes_nothing(project: Project) -> None:
    make_model()
    make_run()
    assert states(project) == ["next", "waiting", "waiting"]
