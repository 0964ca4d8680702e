"""Runs beside one another, by the page and by the API: what is better, and why."""

from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from datasets.models import DatasetVersion
from projects.models import Project
from tests.factories import make_dataset, make_member, make_model, make_run, make_version
from tests.personas import ClientFactory
from training.comparison import Comparison, comparable
from training.comparison_table import duration
from training.models import EpochMetrics, TrainingRun

URL = "/api/v1/training-runs/compare/"


def best(map50: float, **counts: Any) -> dict[str, Any]:
    figures = {"map50": map50, "map50_95": 0.5, "precision": 0.7, "recall": None}
    return {"epoch": 2, **figures, **counts}


def add_epoch(run: TrainingRun, epoch: int, map50: float = 0.5, **fields: Any) -> None:
    defaults = {"attempt": 1, "train": {"box_loss": 2.0}, "lr": 0.01, "seconds": 10.0}
    EpochMetrics.objects.create(
        run=run, epoch=epoch, val={"map50": map50}, **{**defaults, **fields}
    )


@pytest.fixture
def version(project: Project) -> DatasetVersion:
    return make_version(make_dataset(project), fingerprint="a" * 64)


@pytest.fixture
def two(project: Project, version: DatasetVersion) -> list[TrainingRun]:
    """One that ended, and one that is on: other rate, other optimizer."""
    one = make_run(
        project,
        dataset_version=version,
        status="succeeded",
        best=best(0.8, images=50, images_right=46, confidence=0.3),
        options={"lr0": 0.01},
        environment={"batch": 8, "optimizer": "AdamW"},
    )
    per_class = [{"class_name": "can", "ap50": 0.9}, {"class_name": "bottle", "ap50": None}]
    make_model(project, training_run=one, metrics={"per_class": per_class})
    other = make_run(
        project,
        dataset_version=version,
        status="running",
        best=best(0.9),
        options={"lr0": 0.02, "optimizer": "SGD"},
        environment={"batch": 4},
    )
    for epoch in (1, 2, 3):
        add_epoch(one, epoch, 0.1 * epoch, attempt=1 if epoch < 3 else 2)
    add_epoch(other, 1, seconds=None)
    return [one, other]


def query(*runs: Any) -> str:
    return "?" + "&".join(f"run={getattr(run, 'pk', run)}" for run in runs)


def page(user: User, project: Project, *runs: Any, **headers: str) -> Any:
    client = Client(headers=headers)
    client.force_login(user)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return client.get(f"/projects/{project.pk}/training-runs/compare/{query(*runs)}")


def rows(found: Any) -> dict[str, Any]:
    return {row["name"]: row for row in found}


class TestApi:
    def test_says_what_is_better_and_what_differs(
        self, api: ClientFactory, viewer: User, two: list[TrainingRun]
    ) -> None:
        found = api(viewer).get(URL + query(*two)).json()
        assert [run["id"] for run in found["runs"]] == [str(run.pk) for run in two]
        figures = rows(found["figures"])
        assert (figures["map50"]["values"], figures["map50"]["best"]) == ([0.8, 0.9], [1])
        assert figures["map50_95"]["best"] == [], "equal figures are no better"
        assert figures["recall"]["values"] == [None, None]
        assert figures["counts_right"]["values"] == [0.92, None]
        assert rows(found["classes"])["can"]["values"] == [0.9, None]
        different = [row["name"] for row in found["parameters"] if row["is_different"]]
        assert different == ["optimizer", "lr0", "used_batch"], "what is not known does not differ"
        first = [row["name"] for row in found["parameters"][: len(different)]]
        assert first == different, "what differs comes first"
        assert rows(found["parameters"])["lr0"]["no_effect"] == [0], "under auto it has none"
        assert found["is_same_data"] is True
        assert rows(found["data"])["classes"]["values"] == [["can", "bottle"]] * 2
        assert rows(found["machine"])["training_seconds"]["values"] == [30.0, 0.0]

    def test_a_curve_goes_on_over_attempts_and_time(
        self, api: ClientFactory, viewer: User, two: list[TrainingRun]
    ) -> None:
        curve = api(viewer).get(URL + query(*two)).json()["curves"][0]
        assert curve["epochs"] == [1, 2, 3]
        assert curve["seconds"] == [10.0, 20.0, 30.0]
        assert curve["metrics"]["val/map50"] == pytest.approx([0.1, 0.2, 0.3])
        assert set(curve["metrics"]) == {"val/map50", "train/box_loss", "lr"}

    def test_keeps_the_order_that_was_asked_for(
        self, api: ClientFactory, viewer: User, two: list[TrainingRun]
    ) -> None:
        found = api(viewer).get(URL + query(*reversed(two), two[0])).json()
        assert [run["id"] for run in found["runs"]] == [str(run.pk) for run in reversed(two)]

    def test_names_what_is_wrong_with_the_runs(
        self, api: ClientFactory, viewer: User, two: list[TrainingRun], project: Project
    ) -> None:
        elsewhere = make_run()
        mine = make_run()
        make_member(mine.project, viewer)
        many = [make_run(project) for _ in range(6)]
        cases = {
            "how_many": [two[0]],
            "invalid": ["x", two[0]],
            "does_not_exist": [two[0], elsewhere],
            "other_project": [two[0], mine],
        }
        for code, runs in {**cases, "how_many ": [two[0], *many]}.items():
            answer = api(viewer).get(URL + query(*runs))
            assert answer.status_code == 400, code
            (error,) = answer.json()["errors"]
            assert error["code"] == code.strip()
            assert error["field"].startswith("run") and error["detail"]
        nowhere = api(viewer).get(URL + query(two[0], uuid4())).json()
        foreign = api(viewer).get(URL + query(two[0], elsewhere)).json()
        assert nowhere["errors"][0]["code"] == foreign["errors"][0]["code"]

    def test_none_at_all_is_a_sentence_too(self, api: ClientFactory, viewer: User) -> None:
        answer = api(viewer).get(URL)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "run"

    def test_other_data_is_told(
        self, api: ClientFactory, viewer: User, two: list[TrainingRun], project: Project
    ) -> None:
        alike = make_version(make_dataset(project), fingerprint="a" * 64)
        other = make_version(make_dataset(project), fingerprint="b" * 64)
        for data, is_same in ((alike, True), (other, False)):
            run = make_run(project, dataset_version=data)
            found = api(viewer).get(URL + query(two[0], run)).json()
            assert found["is_same_data"] is is_same


class TestPage:
    def test_marks_the_better_figure_and_folds_what_is_alike(
        self, viewer: User, project: Project, two: list[TrainingRun]
    ) -> None:
        answer = page(viewer, project, *two)
        tables = answer.context["tables"]
        map50 = tables.figures[1]
        assert [(cell.text, cell.is_best) for cell in map50.cells] == [
            ("0.800", False),
            ("0.900", True),
        ]
        assert tables.figures[0].cells[0].text == "46 of 50"
        assert "lr0" in {line.name for line in tables.parameters}
        assert "epochs" in {line.name for line in tables.same_parameters}
        assert "These runs did not learn from the same data." not in answer.content.decode()

    def test_is_asked_again_for_its_tables_alone(
        self, viewer: User, project: Project, two: list[TrainingRun]
    ) -> None:
        part = page(viewer, project, *two, **{"HX-Request": "true"}).content.decode()
        assert 'id="comparison"' in part and 'id="curves"' in part
        assert "<html" not in part

    @pytest.mark.parametrize("count", [0, 1, 7])
    def test_says_how_many_it_takes(self, viewer: User, project: Project, count: int) -> None:
        runs = [make_run(project) for _ in range(count)]
        answer = page(viewer, project, *runs)
        assert answer.status_code == 400
        assert "Two to six training runs can be compared." in answer.content.decode()

    def test_a_run_of_nowhere_or_of_others_does_not_exist(
        self, viewer: User, project: Project, two: list[TrainingRun]
    ) -> None:
        for other in (uuid4(), "x", make_run().pk):
            assert page(viewer, project, two[0], other).status_code == 404

    def test_asks_the_same_number_of_questions_for_six_runs(
        self, viewer: User, project: Project, two: list[TrainingRun]
    ) -> None:
        def questions(*runs: TrainingRun) -> int:
            page(viewer, project, *two)  # the session and the like are known
            with CaptureQueriesContext(connection) as captured:
                assert page(viewer, project, *runs).status_code == 200
            return len(captured)

        more = []
        for _ in range(4):
            data = make_version(make_dataset(project))
            start = make_model(project)
            more.append(make_run(project, dataset_version=data, start_model=start))
            make_model(project, training_run=more[-1])
            add_epoch(more[-1], 1)
        assert questions(*two, *more) == questions(*two)


@pytest.mark.django_db
def test_a_long_curve_is_thinned_with_its_last_point() -> None:
    run = make_run()
    EpochMetrics.objects.bulk_create(
        EpochMetrics(run=run, epoch=n, attempt=1, val={"map50": n}, seconds=1.0)
        for n in range(1, 1001)
    )
    (curve,) = Comparison(comparable(TrainingRun.objects.all(), [run.pk])).curves
    thin = curve.thinned(["val/map50"], 300)
    assert len(thin["epochs"]) == 250
    assert (thin["epochs"][-1], thin["seconds"][-1]) == (1000, 1000.0)
    assert thin["metrics"]["val/map50"] == thin["epochs"]
    assert list(thin["metrics"]) == ["val/map50"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.94, "0,9"), (12.4, "12"), (600, "10"), (9000, "2")]
)
def test_times_are_told_in_their_largest_units(seconds: float, text: str) -> None:
    from django.utils import translation

    with translation.override("vi"):
        assert duration(seconds).startswith(text)
