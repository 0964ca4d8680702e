"""Home, the bell, and the project of drawn pictures."""

import re
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from cvtrainer_site import sample_project
from datasets.models import Import
from projects.models import Membership, Project
from tests.factories import (
    make_detection,
    make_evaluation,
    make_import,
    make_member,
    make_model,
    make_project,
    make_run,
    make_user,
    make_version,
)
from tests.pages.conftest import Visit


def test_only_ones_own_projects_are_shown(
    client_of: Visit, viewer: User, outsider: User, project: Project
) -> None:
    assert project.name in client_of(viewer).get("/").content.decode()
    assert project.name not in client_of(outsider).get("/").content.decode()


def test_the_bell_tells_what_ended_since_the_last_look(
    client_of: Visit, viewer: User, project: Project
) -> None:
    version = make_version(status="failed")
    version.dataset.project = project
    version.dataset.save()
    make_import(project, version=version, status="failed", error={"code": "internal"})
    client, now = client_of(viewer), timezone.now()
    before, after = ((now + timedelta(minutes=m)).isoformat() for m in (-1, 1))
    assert str(version) in client.get(reverse("activity"), {"since": before}).content.decode()
    assert str(version) not in client.get(reverse("activity"), {"since": after}).content.decode()


def test_nonsense_in_place_of_a_time_is_ignored(client_of: Visit, viewer: User) -> None:
    for since in ("yesterday", "2026-13-45T00:00:00Z", "2026-01-01T00:00:00"):
        assert client_of(viewer).get(reverse("activity"), {"since": since}).status_code == 200


def test_polling_ends_with_the_session(client_of: Visit) -> None:
    for name in ("activity", "home_running"):
        assert client_of(None).get(reverse(name)).status_code == 286


def test_drawn_pictures_are_one_click_away(
    client_of: Visit, outsider: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_project, "_IMAGES", 4)
    answer = client_of(outsider).post(reverse("sample_create"))
    job = Import.objects.get()
    assert answer["Location"] == reverse("datasets:import_detail", args=[job.pk])
    assert job.status == "queued"
    assert Membership.objects.get(project=job.project).user == outsider


def test_what_runs_in_a_project_is_asked_for_alone(
    client_of: Visit, viewer: User, project: Project
) -> None:
    other = make_project()
    make_member(other, viewer)
    make_run(project, name="Here"), make_run(other, name="Elsewhere")
    client = client_of(viewer)
    page = client.get(reverse("project_overview", args=[project.pk])).content.decode()
    (address,) = re.findall(r'id="running".*?hx-get="(.*?)"', page, re.DOTALL)
    for text in (page, client.get(address).content.decode()):
        assert "Here" in text
        assert "Elsewhere" not in text
    assert address in client.get(address).content.decode(), "the next question is another one"
    assert "Elsewhere" in client.get(reverse("home_running")).content.decode()


def test_nobody_asks_what_runs_in_a_project_of_others(
    client_of: Visit, outsider: User, project: Project
) -> None:
    make_run(project, name="Here")
    for wanted in (project.pk, uuid4(), "nonsense", ""):
        answer = client_of(outsider).get(reverse("home_running"), {"project": wanted})
        assert answer.status_code == 404
        assert "Here" not in answer.content.decode()


def test_the_bell_draws_count_and_list_anew_and_leaves_the_menu_alone(
    client_of: Visit, viewer: User, project: Project
) -> None:
    make_run(project, name="First"), make_run(project, name="Second")
    text = client_of(viewer).get(reverse("activity")).content.decode()
    assert '<span id="bell-count" hx-swap-oob="true">2</span>' in text
    assert "First" in text and "Second" in text
    assert "<details" not in text and "hx-preserve" not in text


def test_the_bell_is_drawn_again_only_where_something_changed(
    client_of: Visit, viewer: User, project: Project
) -> None:
    run, other = make_run(project, name="First"), make_run(project, name="Second")
    make_run(name="Of others")
    client = client_of(viewer)
    text = client.get(reverse("activity")).content.decode()

    def look_again() -> HttpResponse:
        (address,) = re.findall(r'id="activity" hidden hx-get="(.*?)"', text)
        return client.get(unescape(address))

    with CaptureQueriesContext(connection) as few:
        assert look_again().status_code == 204
    assert len(few) <= 4, "session, user, what runs, what has ended"
    make_run(name="Of others, too"), Project.objects.filter(pk=project.pk).update(name="Renamed")
    assert look_again().status_code == 204

    run.status, run.finished_at = "failed", timezone.now()
    run.save()
    text = look_again().content.decode()
    assert 'class="notice is-bad"' in text and "First" in text
    assert '<span id="bell-count" hx-swap-oob="true">1</span>' in text
    assert look_again().status_code == 204

    other.delete(), make_run(project, name="Third")  # as many as before
    assert "Third" in look_again().content.decode()


def test_what_the_bell_asks_does_not_grow_with_what_runs(
    client_of: Visit, viewer: User, project: Project
) -> None:
    client, since = client_of(viewer), (timezone.now() - timedelta(minutes=1)).isoformat()
    model, asked = make_model(project), []
    for _ in range(2):
        make_import(project, version=make_version()), make_run(project)
        make_evaluation(model=model), make_detection(model=model, created_by=viewer)
        make_run(project, status="succeeded", finished_at=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("activity"), {"since": since}).status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1] <= 9


def test_evaluations_and_detections_run_and_end_too(
    client_of: Visit, viewer: User, project: Project
) -> None:
    mine, others = make_model(project, name="Mine"), make_model(project, name="Not mine")
    since = (timezone.now() - timedelta(minutes=1)).isoformat()
    evaluation = make_evaluation(model=mine)
    detection = make_detection(model=mine, created_by=viewer)
    make_detection(model=others, created_by=make_user())
    client = client_of(viewer)
    for status in ("queued", "succeeded"):
        for row in (evaluation, detection):
            row.status, row.finished_at = status, timezone.now() if status != "queued" else None
            row.save()
        text = client.get(reverse("activity"), {"since": since}).content.decode()
        assert reverse("detection:evaluation_detail", args=[evaluation.pk]) in text
        assert reverse("detection:detection_detail", args=[detection.pk]) in text
        assert "Not mine" not in text


def test_home_tells_what_ended_since_the_last_visit(
    client_of: Visit, viewer: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    make_run(project, name="Long ago", status="succeeded", finished_at=now - timedelta(days=1))
    client = client_of(viewer)
    assert "Ended since your last visit" not in client.get("/").content.decode()
    make_run(project, name="Meanwhile", status="succeeded", finished_at=now + timedelta(hours=1))
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(hours=2))
    for _ in range(2):  # looking again a moment later is the same visit
        text = client.get("/").content.decode()
        news = text.index("Ended since your last visit")
        assert news < text.index("Meanwhile") < text.index("Ended lately") < text.index("Long ago")
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(hours=4))
    assert "Ended since your last visit" not in client.get("/").content.decode()
