"""Why a run ended early: decided once, stored, and told in words."""

from typing import Any

import pytest
from django.utils import translation

from accounts.models import User
from projects.models import Project
from tests.factories import make_run
from training import services
from training.ending import stop_reason, told_early_end

_OPTIONS = {"epochs": 90, "patience": 12, "time_limit": 1.5}


@pytest.mark.parametrize(
    ("said", "is_time_up", "reason"),
    [
        ("asked", False, "asked"),
        ("asked", True, "time_limit"),
        ("patience", False, "patience"),
        ("patience", True, "patience"),
    ],
)
def test_the_trainer_s_word_and_the_clock_give_the_reason(
    said: str, is_time_up: bool, reason: str
) -> None:
    done = {"stopped_early": True, "stop_reason": said}
    assert stop_reason(done, is_time_up=is_time_up) == reason


def test_a_run_that_went_through_all_epochs_has_no_reason() -> None:
    done = {"stopped_early": False, "stop_reason": "completed"}
    assert stop_reason(done, is_time_up=True) is None


@pytest.mark.parametrize(
    ("reason", "english", "vietnamese"),
    [
        ("asked", "stopped on request after 3 of 90 epochs", "theo yêu cầu sau 3 trên 90"),
        ("time_limit", "at its time limit (1.5 h)", "hết thời gian cho phép (1,5 giờ)"),
        ("patience", "not become better for 12 epochs", "không tốt hơn trong 12 epoch"),
        (None, "ended early, after 3 of 90 epochs", "kết thúc sớm, sau 3 trên 90 epoch"),
    ],
)
def test_the_reason_is_told_on_the_page_and_by_the_api(
    viewer: User,
    project: Project,
    client: Any,
    api: Any,
    reason: str | None,
    english: str,
    vietnamese: str,
) -> None:
    run = make_run(
        project, status="succeeded", stopped_early=True, stop_reason=reason, epoch=3,
        options=_OPTIONS,
    )  # fmt: skip
    with translation.override("en"):
        assert english in told_early_end(run)
    with translation.override("vi"):
        assert vietnamese in told_early_end(run)
    client.force_login(viewer)
    page = client.get(f"/training-runs/{run.pk}/", headers={"accept-language": "vi"})
    assert vietnamese in page.content.decode()
    answer = api(viewer).get(f"/api/v1/training-runs/{run.pk}/").json()
    assert (answer["stopped_early"], answer["stop_reason"]) == (True, reason)


def test_a_run_that_goes_on_has_no_reason_any_more(project: Project) -> None:
    run = make_run(
        project, status="failed", stopped_early=True, stop_reason="time_limit", options=_OPTIONS
    )
    services.resume_run(run=run)
    run.refresh_from_db()
    assert (run.stopped_early, run.stop_reason) == (False, None)
    assert told_early_end(run) == ""
