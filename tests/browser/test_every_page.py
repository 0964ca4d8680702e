"""Every page, on a phone and at a desk: nothing to scroll sideways, nothing in anybody's way."""

from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from datasets.class_edit import ClassChange
from datasets.editing import Edit
from datasets.reviewing import edit_version
from projects.models import Project
from tests.browser.material import make_gallery
from tests.browser.visitor import DESK, PHONE
from tests.factories import make_import, make_model, make_project, make_run, make_version


def pages_of(project: Project) -> list[str]:
    """Return the addresses of all pages, each with something on it."""
    layout = {"format": "yolo", "pictures": 6, "labels": 6, "names_from": "data.yaml"}
    version = make_gallery(project, layout=layout)
    broken = {"code": "picture_unreadable", "count": 2, "examples": ["images/hỏng.jpg"]}
    problems = {**version.health["problems"], "picture_unlabelled": 1, "look_alike": 2}
    version.health |= {"unreadable": [broken], "problems": problems}
    version.save()
    edit = Edit((ClassChange(0, "lon"), ClassChange(1, "chai")))
    edited = edit_version(version=version, edit=edit)
    unready = make_gallery(make_project(project.created_by, name="Thiếu"))
    unready.classes.update(by_split={"train": [6, 6]})
    waiting = make_gallery(make_project(project.created_by, name="Chờ xác nhận"), status="review")
    newer = make_version(version.dataset, classes=("can", "hộp"))
    failed = make_import(project, status="failed", error={"code": "archive_not_zip", "params": {}})
    running = make_import(project, progress={"phase": "pictures", "done": 3, "total": 9})
    run = make_run(project, dataset_version=version, status="succeeded")
    make_model(project, training_run=run, dataset_version=version)
    of_project = (
        "project_overview",
        "projects:project_edit",
        "projects:project_delete",
        "projects:member_list",
        "datasets:dataset_list",
        "datasets:import_create",
        "datasets:custom_vision_create",
        "training:run_list",
        "detection:detect",
    )
    empty = make_project(project.created_by, name="Dự án chưa có gì")
    return [
        *(reverse(name, args=[empty.pk]) for name in (*of_project, "detection:detection_list")),
        *(reverse(name) for name in ("home", "projects:project_create", "account_change_password")),
        *(reverse(f"accounts:{name}") for name in ("account", "token_list")),
        *(reverse(name, args=[project.pk]) for name in of_project),
        *(reverse("datasets:import_detail", args=[job.pk]) for job in (failed, running)),
        reverse("datasets:import_detail", args=[version.import_job.pk]),
        reverse("datasets:dataset_edit", args=[version.dataset.pk]),
        reverse("datasets:version_detail", args=[version.pk]),
        reverse("datasets:version_health", args=[version.pk]),
        reverse("datasets:version_detail", args=[edited.pk]),
        reverse("datasets:version_detail", args=[unready.pk]),
        reverse("datasets:version_health", args=[unready.pk]),
        reverse("datasets:version_review", args=[version.pk]),
        reverse("datasets:version_review", args=[waiting.pk]),
        reverse("datasets:version_detail", args=[waiting.pk]),
        reverse("datasets:import_detail", args=[waiting.import_job.pk]),
        reverse("datasets:dataset_list", args=[waiting.dataset.project_id]),
        reverse("datasets:version_compare", args=[newer.pk, version.pk]),
        reverse("datasets:image_list", args=[version.pk]),
        reverse("datasets:image_detail", args=[version.images.first().pk]),
        reverse("training:run_detail", args=[run.pk]),
        "/no-such-page/",
    ]


@pytest.mark.parametrize(("width", "dark", "language"), [(PHONE, False, "vi"), (DESK, True, "en")])
def test_no_page_overflows_or_is_in_the_way_of_anybody(
    visit: Any, owner: User, project: Project, width: int, dark: bool, language: str
) -> None:
    visitor = visit(owner, width=width, dark=dark, language=language)
    found = []
    for path in pages_of(project):
        visitor.page.goto(f"{visitor.base}{path}")
        visitor.page.wait_for_timeout(150)
        visitor.shoot(f"{width}-{language}-{path.strip('/').replace('/', '-')}")
        found += [f"{path}: {problem}" for problem in visitor.problems()]
    assert not found, "\n".join(found)


def test_the_sign_in_page_is_in_nobodys_way(visit: Any) -> None:
    visitor = visit(width=PHONE)
    visitor.open("/accounts/login/")
    assert visitor.problems() == []
