"""Home, the bell, and the project of drawn pictures."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from cvtrainer_site import sample_project
from datasets.models import Import
from projects.models import Membership, Project
from tests.factories import make_import, make_version
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
