"""Datasets, versions and imports, by hand."""

import io
import re
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from datasets.models import Dataset, Import, RemotePicture
from projects.models import Project
from tests.browser.material import make_gallery
from tests.factories import make_dataset, make_image, make_import, make_run, make_version
from tests.pages.conftest import Visit

FORM = {"dataset": "", "dataset_name": "", "split_percent": "25", "keep_splits": "on"}


def upload(**fields: Any) -> dict[str, Any]:
    """Return the fields of the import form with a small ZIP."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.yaml", "names: [can]")
    return {**FORM, "file": SimpleUploadedFile("Kệ.zip", file.getvalue()), **fields}


def test_an_import_starts_and_leads_to_its_page(
    client_of: Visit, editor: User, project: Project
) -> None:
    answer = client_of(editor).post(
        reverse("datasets:import_create", args=[project.pk]), upload(split_seed="7")
    )
    job = Import.objects.get()
    assert answer["Location"] == reverse("datasets:import_detail", args=[job.pk])
    assert (job.version.split_ratio, job.version.split_seed) == (0.25, 7)
    assert (job.keep_splits, job.version.dataset.name) == (True, "Kệ")


def test_the_script_of_the_page_gets_the_address_or_the_form(
    client_of: Visit, editor: User, project: Project
) -> None:
    url = reverse("datasets:import_create", args=[project.pk])
    headers = {"x-requested-with": "XMLHttpRequest"}
    good = client_of(editor).post(url, upload(), headers=headers)
    assert (good.status_code, list(good.json())) == (201, ["url"])
    bad = client_of(editor).post(url, upload(split_percent="0"), headers=headers)
    assert (bad.status_code, list(bad.context["form"].errors)) == (422, ["split_percent"])


def test_a_foreign_dataset_is_no_choice(client_of: Visit, editor: User, project: Project) -> None:
    url = reverse("datasets:import_create", args=[project.pk])
    page = client_of(editor).post(url, upload(dataset=str(make_dataset().pk)))
    assert list(page.context["form"].errors) == ["dataset"]
    assert not Import.objects.exists()


def test_an_import_is_canceled_once_and_a_second_time_harmless(
    client_of: Visit, editor: User, project: Project
) -> None:
    job = make_import(project)
    url = reverse("datasets:import_cancel", args=[job.pk])
    for _ in range(2):
        assert client_of(editor).post(url).status_code == 302
    job.refresh_from_db()
    assert job.status == "canceled"
    page = client_of(editor).get(reverse("datasets:import_detail", args=[job.pk]))
    assert "This import was canceled" in page.content.decode()


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (24, "The pictures that were fetched are kept for a week"),
        (-1, "Nothing of this import was kept"),
        (None, "Nothing of this import was kept"),
    ],
)
def test_a_failed_import_from_custom_vision_says_what_it_keeps(
    client_of: Visit, editor: User, viewer: User, project: Project, hours: int | None, text: str
) -> None:
    error = {"code": "custom_vision_away", "params": {}}
    job = make_import(
        project, source="custom_vision", origin="their-project", status="failed", error=error
    )
    until = None if hours is None else timezone.now() + timedelta(hours=hours)
    RemotePicture.objects.create(
        project=project, origin=job.origin, remote_id="1", keep_until=until,
        picture=make_image(make_version(make_dataset(project))).picture,
    )  # fmt: skip
    for user in (editor, viewer):
        page = client_of(user).get(reverse("datasets:import_detail", args=[job.pk]))
        assert text in page.content.decode()


@pytest.mark.parametrize(("mode", "adds"), [("add", True), ("replace", False), ("", False)])
def test_an_import_adds_or_replaces_as_the_form_says(
    client_of: Visit, editor: User, project: Project, mode: str, adds: bool
) -> None:
    dataset = make_version(make_dataset(project)).dataset
    url = reverse("datasets:import_create", args=[project.pk])
    page = client_of(editor).get(url).content.decode()
    assert re.findall(r'<option value="(add|replace)"', page) == ["replace", "add"]
    answer = client_of(editor).post(url, upload(dataset=str(dataset.pk), mode=mode))
    assert answer.status_code == 302
    job = Import.objects.get()
    assert (job.version.dataset, job.adds) == (dataset, adds)


def test_a_mode_that_is_none_is_refused_and_a_new_dataset_has_nothing_to_add_to(
    client_of: Visit, editor: User, project: Project
) -> None:
    url = reverse("datasets:import_create", args=[project.pk])
    page = client_of(editor).post(url, upload(mode="merge"))
    assert list(page.context["form"].errors) == ["mode"]
    client_of(editor).post(url, upload(mode="add"))
    assert Import.objects.get().adds is False


def test_a_dataset_is_renamed_but_not_to_a_name_that_is_taken(
    client_of: Visit, editor: User, project: Project
) -> None:
    dataset, other = make_dataset(project), make_dataset(project, name="Taken")
    url = reverse("datasets:dataset_edit", args=[dataset.pk])
    page = client_of(editor).post(url, {"name": other.name})
    assert "name" in page.context["form"].errors
    assert client_of(editor).post(url, {"name": " Kệ  "}).status_code == 302
    dataset.refresh_from_db()
    assert dataset.name == "Kệ"


def test_a_dataset_that_was_trained_on_stays(
    client_of: Visit, editor: User, project: Project
) -> None:
    version = make_version(make_dataset(project))
    make_run(project, dataset_version=version)
    url = reverse("datasets:dataset_delete", args=[version.dataset_id])
    assert client_of(editor).post(url)["Location"].endswith("/edit/")
    assert Dataset.objects.filter(pk=version.dataset_id).exists()


def test_a_dataset_without_trainings_goes(client_of: Visit, editor: User, project: Project) -> None:
    dataset = make_version(make_dataset(project)).dataset
    client_of(editor).post(reverse("datasets:dataset_delete", args=[dataset.pk]))
    assert not Dataset.objects.filter(pk=dataset.pk).exists()


def test_a_version_is_split_anew_as_the_next_one(
    client_of: Visit, editor: User, project: Project
) -> None:
    version = make_gallery(project)
    url = reverse("datasets:version_resplit", args=[version.pk])
    answer = client_of(editor).post(url, {"split_percent": "50"}, follow=True)
    made = answer.context["version"]
    assert (made.number, made.val_images, made.images_total) == (2, 3, 6)
    assert "How the import went" not in answer.content.decode()
    assert client_of(editor).post(url, {"split_percent": "x"}, follow=True).status_code == 200


def test_a_test_share_is_asked_for_and_leaves_something_to_train_on(
    client_of: Visit, editor: User, project: Project
) -> None:
    url = reverse("datasets:import_create", args=[project.pk])
    page = client_of(editor).post(url, upload(test_percent="75"))
    assert list(page.context["form"].errors) == ["test_percent"]
    client_of(editor).post(url, upload(test_percent="15"))
    assert Import.objects.get().version.test_ratio == 0.15

    version = make_gallery(project)
    url = reverse("datasets:version_resplit", args=[version.pk])
    answer = client_of(editor).post(url, {"split_percent": "34", "test_percent": "17"}, follow=True)
    made = answer.context["version"]
    assert (made.test_ratio, made.train_images + made.val_images) == (0.17, 5)
    assert made.test_images == 1
    answer = client_of(editor).post(url, {"split_percent": "50", "test_percent": "50"}, follow=True)
    assert "leave nothing to train on" in answer.content.decode()


def test_a_version_that_is_not_ready_leads_to_its_import(
    client_of: Visit, viewer: User, project: Project
) -> None:
    job = make_import(project)
    answer = client_of(viewer).get(reverse("datasets:version_detail", args=[job.version_id]))
    assert answer["Location"] == reverse("datasets:import_detail", args=[job.pk])


def test_the_classes_of_a_ready_version_are_changed_from_its_page(
    client_of: Visit, editor: User, viewer: User, project: Project
) -> None:
    version = make_gallery(project)
    page = reverse("datasets:version_detail", args=[version.pk])
    client = client_of(editor)
    url = reverse("datasets:version_review", args=[version.pk])
    assert f'href="{url}"' in client.get(page).content.decode()
    assert f'href="{url}"' not in client_of(viewer).get(page).content.decode()

    assert client.get(url).context["waits"] is False
    form = {"class": ["0", "1"], "name": ["lon", "bottle"]}
    answer = client.post(url, form, follow=True)

    made = answer.context["version"]
    assert (made.number, made.parent, made.source) == (2, version, "edit")
    head = re.sub(r"\s+", " ", answer.content.decode().split("<header")[2].split("</header>")[0])
    assert f'<a href="{page}">v1</a> with other classes or boxes · can → lon ·' in head
    assert client.get(page).status_code == 200


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("resplit", "v1</a>, split anew"),
        ("restore", "v1</a>, made the newest again"),
        ("zip", "added to"),
    ],
)
def test_a_version_says_what_it_was_made_from(
    client_of: Visit, viewer: User, project: Project, source: str, text: str
) -> None:
    parent = make_version(make_dataset(project))
    version = make_version(parent.dataset, parent=parent, source=source)
    with CaptureQueriesContext(connection) as queries:
        page = client_of(viewer).get(reverse("datasets:version_detail", args=[version.pk]))
    head = page.content.decode()
    assert text in head
    assert f'<a href="{reverse("datasets:version_detail", args=[parent.pk])}">v1</a>' in head
    assert not [row for row in queries if f"{parent.pk.hex}" in row["sql"].replace("-", "")]


def test_an_import_says_what_it_understood_and_shows_boxes_of_each_class(
    client_of: Visit, viewer: User, project: Project
) -> None:
    layout = {"format": "coco", "pictures": 6, "labels": 5, "names_from": "a/instances.json"}
    version = make_gallery(project, layout=layout)
    url = reverse("datasets:import_detail", args=[version.import_job.pk])
    page = client_of(viewer).get(url)
    text = re.sub(r"\s+", " ", page.content.decode())
    assert "The ZIP holds COCO JSON. 6 pictures were found in it, 5 with labels." in text
    assert "The names of the classes are from a/instances.json." in text
    crops = [len(line.crops) for line in page.context["lines"]]
    assert crops == [6, 3]
    assert text.count("<svg viewBox") == 9


def test_warnings_are_told_with_examples(client_of: Visit, viewer: User, project: Project) -> None:
    version = make_gallery(project)
    version.warnings = [
        {"code": "class_out_of_range", "count": 7, "examples": ["labels/a.txt:3"]},
        {"code": "picture_truncated", "count": 1200, "examples": ["a.jpg"]},
        {"code": "archive_member_damaged", "count": 1, "examples": ["b.jpg"]},
    ]
    version.save()
    page = client_of(viewer).get(reverse("datasets:version_detail", args=[version.pk]))
    text = page.content.decode()
    assert "7 labels name a class that does not exist" in text
    assert "The picture is incomplete: its end is missing. (1,200)" in text
    assert "A file in the ZIP is damaged: b.jpg<" in text
    assert "labels/a.txt:3" in text


def test_names_from_outside_are_only_text(client_of: Visit, viewer: User, project: Project) -> None:
    version = make_gallery(project)
    payload = "<img src=x onerror=alert(1)>"
    version.classes.filter(index=0).update(name=payload)
    version.images.update(file_name=payload)
    for url in (
        reverse("datasets:version_detail", args=[version.pk]),
        reverse("datasets:image_list", args=[version.pk]),
        reverse("datasets:image_detail", args=[version.images.all()[0].pk]),
    ):
        text = client_of(viewer).get(url).content.decode()
        assert "&lt;img src=x" in text
        assert payload not in text
