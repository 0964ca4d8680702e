"""What pages say of a run that waits: its place in the queue, and what it waits for besides."""

import re
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils.html import strip_tags

from accounts.models import User
from jobs import transitions
from jobs.states import Status
from jobs.worker_rows import Worker
from projects.models import Project
from tests.factories import make_run, make_worker
from tests.training.test_pages import signed_in
from training.models import TrainingRun


def test_a_waiting_run_says_what_it_waits_for(
    viewer: User, project: Project, settings: Any
) -> None:
    settings.PROJECT_RUNS = 1
    make_worker()
    make_run(project, status=Status.RUNNING)
    run = make_run(project)
    for path in (f"/training-runs/{run.pk}/", f"/projects/{project.pk}/training/"):
        text = signed_in(viewer).get(path, headers={"accept-language": "en"}).content.decode()
        assert "Đang chờ một lượt huấn luyện khác của dự án này." in text
        assert "None" not in text


def places(client: Client, path: str) -> list[str]:
    """Return what a page says about places in the queue, from the top down."""
    page = client.get(path).content.decode()
    return [strip_tags(text) for text in re.findall(r"data-queue-position>(.*?)</", page)]


def test_the_place_in_the_queue_is_shown_and_asked_for_again(
    viewer: User, project: Project
) -> None:
    make_worker()
    client = signed_in(viewer)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    runs = [make_run(project) for _ in range(3)]
    page, active = f"/training-runs/{runs[2].pk}/", f"/projects/{project.pk}/training/active/"
    assert places(client, page) == ["Number 3 in the queue; it begins by itself."]
    assert places(client, active) == [f"number {n} in the queue" for n in (3, 2, 1)]

    transitions.claim(TrainingRun, runs[0].pk, worker="test")
    again = f"{page}queue/"
    assert f'data-queue="{again}"' in client.get(page).content.decode()
    assert places(client, again) == ["Number 2 in the queue; it begins by itself."]
    assert places(client, active) == [f"number {n} in the queue" for n in (2, 1)]

    transitions.claim(TrainingRun, runs[2].pk, worker="test")
    assert places(client, again) == places(client, page) == []


def test_a_run_that_waits_again_shows_its_place_and_not_when_it_began(
    viewer: User, project: Project, settings: Any
) -> None:
    settings.PROJECT_RUNS = 1
    client, (run, other) = signed_in(viewer), (make_run(project), make_run(project))
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    active = f"/projects/{project.pk}/training/active/"
    began: Any = transitions.claim(TrainingRun, run.pk, worker="test")
    make_worker()
    assert "started" in client.get(active).content.decode()
    transitions.take_back(began)

    page = client.get(active).content.decode()
    assert places(client, active) == ["number 1 in the queue"]
    assert places(client, f"/training-runs/{run.pk}/") == [
        "Number 1 in the queue; it begins by itself."
    ]
    assert "started" not in page and "It waits for another training of this project." in page

    Worker.objects.all().delete()
    page = client.get(active).content.decode()
    assert places(client, active) == ["number 1 in the queue"]
    assert "number 1 in the queue</span> · " in page, "why it does not begin"
    other.delete(), transitions.request_pause(run)
    assert places(client, active) == []
