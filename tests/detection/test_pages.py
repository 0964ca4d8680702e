"""The pages of models and detections: who may do what, at what cost, in which colours."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from datasets.gallery import COLOURS
from datasets.models import DatasetVersion
from detection.models import Detection, DetectionImage, Evaluation
from detection.rendering import PALETTE
from detection.views import threshold_of
from projects.models import Project
from tests.factories import (
    make_dataset,
    make_detection,
    make_evaluation,
    make_model,
    make_version,
)
from training.class_tables import class_lines, confusion_rows


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make_looked_at(project: Project, model: Any) -> Detection:
    """Return a detection with one picture: two cans, one of them doubtful."""
    counted = {"0": 1, "1": 1}
    detection = make_detection(project, model=model, status="succeeded", class_counts=counted)
    found = [[0, 0.9, 1, 1, 9, 9], [0, 0.1, 2, 2, 8, 8], [1, 0.5, 3, 3, 7, 7]]
    DetectionImage.objects.create(
        detection=detection, index=0, file_name="kệ.jpg", file="x.jpg", width=10, height=10,
        objects_found=found,
    )  # fmt: skip
    return detection


def test_putting_a_model_into_use_takes_the_one_before_out(editor: User, project: Project) -> None:
    old, new = make_model(project, stage="production"), make_model(project)
    signed_in(editor).post(f"/models/{new.pk}/stage/", {"stage": "production"})
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.stage, new.stage) == ("archived", "production")


def test_viewers_look_and_outsiders_see_nothing(
    viewer: User, outsider: User, project: Project
) -> None:
    model = make_model(project)
    evaluation = make_evaluation(model=model)
    found = make_looked_at(project, model)
    for path in (
        f"/models/{model.pk}/",
        f"/evaluations/{evaluation.pk}/",
        f"/detections/{found.pk}/",
    ):
        assert signed_in(viewer).get(path).status_code == 200
        assert signed_in(outsider).get(path).status_code == 404
    writes = {
        f"/models/{model.pk}/stage/": {"stage": "production"},
        f"/models/{model.pk}/evaluate/": {"dataset_version": evaluation.dataset_version_id},
        f"/evaluations/{evaluation.pk}/cancel/": {},
        f"/detections/{found.pk}/delete/": {},
    }
    for path, form in writes.items():
        assert signed_in(viewer).post(path, form).status_code == 403
        assert signed_in(outsider).post(path, form).status_code == 404


def test_why_an_evaluation_cannot_start_is_told_at_its_field(
    editor: User, project: Project
) -> None:
    model = make_model(project)
    version = make_version(project.datasets.create(name="Kệ"), classes=("can", "crate"))
    form = {"dataset_version": str(version.pk), "split": "val"}
    answer = signed_in(editor).post(f"/models/{model.pk}/evaluate/", form)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["dataset_version"]
    assert not Evaluation.objects.exists()


def test_the_history_counts_from_the_threshold_that_was_asked_for(
    viewer: User, project: Project
) -> None:
    model, other = make_model(project), make_model(project)
    make_looked_at(project, model)
    make_looked_at(project, other)
    path = f"/projects/{project.pk}/detections/"
    lines = signed_in(viewer).get(path, {"model": str(model.pk)}).context["lines"]
    assert [line["counts"] for line in lines] == [[("can", 1, "class-0"), ("bottle", 1, "class-1")]]


def test_the_history_loads_nothing_of_what_was_found(viewer: User, project: Project) -> None:
    make_looked_at(project, make_model(project))
    with CaptureQueriesContext(connection) as captured:
        answer = signed_in(viewer).get(f"/projects/{project.pk}/detections/")
    assert answer.context["lines"][0]["objects"] == 2
    assert not [query["sql"] for query in captured if "objects_found" in query["sql"]]


def test_the_history_asks_the_same_number_of_questions_however_long(
    viewer: User, project: Project
) -> None:
    client, model = signed_in(viewer), make_model(project)

    def questions() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"/projects/{project.pk}/detections/").status_code == 200
        return len(captured)

    make_looked_at(project, model)
    few = questions()
    for _ in range(4):
        make_looked_at(project, make_model(project))
    assert questions() == few


def test_an_editor_removes_a_detection_with_its_pictures(editor: User, project: Project) -> None:
    detection = make_looked_at(project, make_model(project))
    signed_in(editor).post(f"/detections/{detection.pk}/delete/")
    assert not Detection.objects.exists()


def test_the_threshold_that_is_offered_is_the_model_s_best_within_reason(project: Project) -> None:
    offered = [
        threshold_of(make_model(project, metrics={"recommended_confidence": value}))
        for value in (0.42, 0.001, None)
    ]
    assert offered == [0.42, 0.05, 0.25]


def test_pages_and_downloads_colour_classes_alike() -> None:
    css = (Path(settings.BASE_DIR) / "static" / "css" / "boxes.css").read_text()
    colours = re.findall(r"^\.class-\d+ \{ --class-color: (#\w+);", css, re.MULTILINE)
    script = (Path(settings.BASE_DIR) / "static" / "js" / "box-view.js").read_text()
    assert colours == list(PALETTE)
    assert len(PALETTE) == COLOURS
    assert f"CLASS_COLOURS = {COLOURS};" in script


def with_baseline(project: Project) -> DatasetVersion:
    """Return a version whose class `can` was one of a Custom Vision model, by another name."""
    classes = [
        {"name": "Lon", "class_name": "can", "precision": 0.91, "recall": 0.82,
         "average_precision": 0.87},
        {"name": "crate", "precision": 0.1, "recall": 0.1, "average_precision": 0.1},
    ]  # fmt: skip
    iteration = {"name": "It 7", "published_as": "kệ-7", "trained_at": None, "precision": 0.93,
                 "recall": 0.84, "average_precision": 0.88, "classes": classes}  # fmt: skip
    return make_version(make_dataset(project), baselines=[iteration])


def cells_of(html: str, name: str) -> list[str]:
    """Return the texts of the cells of a class's row."""
    (row,) = [row for row in html.split("<tr") if f">{name}</" in row and 'scope="row"' in row]
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.S)]


PER_CLASS = [
    {"class_name": "can", "precision": 0.8, "recall": 0.7, "ap50": 0.75, "ap50_95": 0.5,
     "boxes": 9},
    {"class_name": "bottle", "precision": 0.6, "recall": 0.5, "ap50": 0.4, "ap50_95": 0.3,
     "boxes": 3},
]  # fmt: skip


def test_a_model_stands_beside_the_one_of_custom_vision_class_by_class(
    viewer: User, project: Project
) -> None:
    metrics = {"map50": 0.9, "map50_95": 0.6, "precision": 0.9, "recall": 0.8}
    metrics |= {"per_class": PER_CLASS}
    model = make_model(project, metrics=metrics, dataset_version=with_baseline(project))
    client = signed_in(viewer)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    page = client.get(f"/models/{model.pk}/").content.decode()
    assert "Custom Vision (on its training pictures)" in page
    assert "kệ-7" in page
    assert cells_of(page, "can") == ["9", "0.80", "0.70", "0.75", "0.50", "0.91", "0.82", "0.87"]
    assert cells_of(page, "bottle") == ["3", "0.60", "0.50", "0.40", "0.30", "–", "–", "–"]
    assert cells_of(page, "All classes")[-3:] == ["0.93", "0.84", "0.88"]

    other = make_version(make_dataset(project))
    plain = make_model(project, metrics=metrics, dataset_version=other)
    page = client.get(f"/models/{plain.pk}/").content.decode()
    assert "Custom Vision" not in page
    assert cells_of(page, "can") == ["9", "0.80", "0.70", "0.75", "0.50"]


def test_an_evaluation_does_so_too_on_any_version(viewer: User, project: Project) -> None:
    counted = {"images": 4, "images_right": 3, "per_class": []}
    result = {"counts": counted, "per_class": PER_CLASS, "metrics": {"map50": 0.5}}
    model = make_model(project, dataset_version=with_baseline(project))
    row = make_evaluation(model=model, status="succeeded", result=result)
    client = signed_in(viewer)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    page = client.get(f"/evaluations/{row.pk}/").content.decode()
    assert "Custom Vision (on its training pictures)" in page
    assert cells_of(page, "can")[-7:] == ["0.80", "0.70", "0.75", "0.50", "0.91", "0.82", "0.87"]
    assert cells_of(page, "All classes")[-5:] == ["0.50", "–", "0.93", "0.84", "0.88"]


def test_the_confusion_matrix_is_shaded_by_its_columns() -> None:
    confusion = {"labels": ["can", "background"], "matrix": [[90, 3], [10, 0]]}
    rows = confusion_rows({"confusion": confusion})["rows"]
    assert [[cell["shade"] for cell in row["cells"]] for row in rows] == [[8, 9], [1, 0]]
    assert [cell["is_right"] for cell in rows[0]["cells"]] == [True, False]


def test_a_matrix_in_which_nothing_was_counted_is_not_shown() -> None:
    confusion = {"labels": ["can", "background"], "matrix": [[0, 0], [0, 0]]}
    assert confusion_rows({"confusion": confusion}) == {"labels": [], "rows": []}


def test_a_class_that_was_never_there_is_listed_with_nothing() -> None:
    result = {"counts": {"per_class": [{"class_name": "can", "true": 3, "predicted": 5}]}}
    lines = class_lines(result, ["can", "bottle"])
    assert [(line["name"], line["true"], line["difference"]) for line in lines] == [
        ("can", 3, 2),
        ("bottle", 0, 0),
    ]
