"""What goes wrong on the other side: each with its reason, and nothing half-done."""

import json
import time
from collections.abc import Callable
from itertools import count

import pytest
from django.utils import translation

from datasets.models import DatasetImage, Import, ImportSecret
from datasets.tasks import run_import
from jobs import queue
from jobs.errors import describe
from jobs.states import Status
from tests.custom_vision.conftest import ImportIt, fill
from tests.custom_vision.emulator import (
    CLASSIFICATION_DOMAIN,
    KEY,
    PREDICTION_KEY,
    Answer,
    Asked,
    Emulator,
)
from tests.custom_vision.faults import code_of, error_body, on, spoil
from tests.datasets.importing import distinct_jpeg, fresh, warnings_of

UNKNOWN = "0f8fad5b-d9cb-469f-a165-70867728950e"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hurried")]


class TestRefusals:
    @pytest.mark.parametrize("key", ["wrong", PREDICTION_KEY])
    def test_a_wrong_key(self, emulator: Emulator, import_it: ImportIt, key: str) -> None:
        fill(emulator, 2)
        job = import_it(training_key=key)
        assert code_of(job) == "custom_vision_key"
        assert not ImportSecret.objects.exists()
        assert job.version.status == "failed"

    @pytest.mark.parametrize(("language", "word"), [("en", "prediction"), ("vi", "dự đoán")])
    def test_the_prediction_key_is_named_in_the_hint(self, language: str, word: str) -> None:
        """It stands beside the training key, and is what many paste."""
        with translation.override(language):
            assert word in describe("custom_vision_key")[1]

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (Answer(401), "custom_vision_key"),
            (Answer(401, b"<html>"), "custom_vision_key"),
            (Answer(403, error_body()), "custom_vision_forbidden"),
            (Answer(404), "custom_vision_not_found"),
            (Answer(418, error_body()), "custom_vision_refused"),
            (Answer(200, b"<html>hello</html>"), "custom_vision_answer"),
            (Answer(200, b'{"settings": '), "custom_vision_answer"),
            (
                Answer(302, b"", {"Location": "http://127.0.0.1:1/elsewhere"}),
                "custom_vision_redirected",
            ),
            (Answer(500), "custom_vision_away"),
            (Answer(503, error_body()), "custom_vision_away"),
            (Answer(429, error_body()), "custom_vision_throttled"),
            (Answer(429, b"", {"Retry-After": "86400"}), "custom_vision_throttled"),
        ],
    )
    def test_each_answer_has_its_reason(
        self, emulator: Emulator, import_it: ImportIt, answer: Answer, code: str
    ) -> None:
        fill(emulator, 2)
        emulator.faults.append(on(emulator.project, answer, every=True))
        job = import_it()
        assert code_of(job) == code
        assert "CANARY" not in json.dumps(job.error)

    def test_an_unknown_project(self, emulator: Emulator, queue_it: ImportIt) -> None:
        job = queue_it()
        emulator.project = UNKNOWN
        run_import(str(job.pk))
        assert code_of(fresh(job)) == "custom_vision_not_found"

    def test_a_classification_project(self, emulator: Emulator, import_it: ImportIt) -> None:
        emulator.domain = CLASSIFICATION_DOMAIN
        fill(emulator, 2)
        assert code_of(import_it()) == "custom_vision_classification"

    def test_a_project_without_tags(self, emulator: Emulator, import_it: ImportIt) -> None:
        emulator.add_picture(distinct_jpeg(1), (65, 48))
        assert code_of(import_it()) == "custom_vision_no_tags"

    def test_no_answer_at_all(self, queue_it: ImportIt, emulator: Emulator) -> None:
        job = queue_it()
        Import.objects.filter(pk=job.pk).update(endpoint="http://127.0.0.1:1")
        run_import(str(job.pk))
        assert code_of(Import.objects.get(pk=job.pk)) == "custom_vision_away"

    def test_the_key_follows_no_redirect(self, emulator: Emulator, import_it: ImportIt) -> None:
        fill(emulator, 2)
        with Emulator() as other:
            elsewhere = {"Location": f"{other.endpoint}/customvision"}
            emulator.faults.append(on("/tags", Answer(307, b"", elsewhere), every=True))
            assert code_of(import_it()) == "custom_vision_redirected"
            assert other.asked == []


class TestPatience:
    @pytest.mark.parametrize(
        "answer",
        [
            Answer(429, b"", {"Retry-After": "0.3"}),
            Answer(429, error_body()),
            Answer(429, b"", {"Retry-After": "Mon, 23 Nov 2020 10:00:00 GMT"}),
            Answer(500),
            Answer(503, b"", {"Retry-After": "nonsense"}),
            Answer(200, b'{"id": ', cut_at=3, headers={"Content-Length": "900"}),
        ],
    )
    def test_what_passes_is_waited_for(
        self, emulator: Emulator, import_it: ImportIt, answer: Answer
    ) -> None:
        fill(emulator, 4)
        emulator.faults.append(on("/tags", answer, answer))
        job = import_it()
        assert job.status == Status.SUCCEEDED
        assert warnings_of(job) == {}

    def test_a_wait_is_told_and_left_where_somebody_cancels(
        self, emulator: Emulator, queue_it: ImportIt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from datasets.tasks import run_import

        monkeypatch.setattr("datasets.custom_vision._PATIENCE", 600.0)
        fill(emulator, 2)
        job = queue_it()

        def cancel(asked: Asked) -> Answer | None:
            if not asked.path.endswith("/tags"):
                return None
            queue.cancel(Import.objects.get(pk=job.pk))
            return Answer(429, b"", {"Retry-After": "500"})

        emulator.faults.append(cancel)
        began = time.monotonic()
        run_import(str(job.pk))
        assert time.monotonic() - began < 60
        done = Import.objects.get(pk=job.pk)
        assert done.status == Status.CANCELED
        assert not ImportSecret.objects.exists()
        log = [event.payload["text"] for event in done.events.filter(type="log")]
        assert any("500" in line for line in log)


class TestLabels:
    def test_boxes_that_are_none_are_left_out(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 4)
        tag, nan = next(iter(emulator.tags)), float("nan")
        emulator.add_picture(
            distinct_jpeg(90),
            (64, 48),
            [
                (tag, 0.1, 0.1, 0.2, 0.2),
                (tag, 0.1, 0.1, 0.2, 0.2),
                (tag, 0.9, 0.9, 0.3, 0.3),
                (tag, 0.5, 0.5, 0.0, 0.2),
                (tag, 1.5, 0.5, 0.1, 0.2),
                (tag, nan, 0.5, 0.1, 0.2),
                (UNKNOWN, 0.1, 0.1, 0.2, 0.2),
            ],
        )
        job = import_it()
        told = warnings_of(job)
        assert len(DatasetImage.objects.get(version=job.version, position=4).boxes) == 2
        expected = {
            "label_twice": 1,
            "box_clipped": 1,
            "box_without_area": 1,
            "box_outside": 1,
            "label_not_a_number": 1,
            "region_of_no_tag": 1,
        }
        assert {code: told.get(code) for code in expected} == expected

    def test_tags_of_any_name_become_classes(self, emulator: Emulator, import_it: ImportIt) -> None:
        given = ["bia", "Bia", "", "a/b", "<b>x</b>", "dòng\nmới", "🍺", "Bi\u0300a", "x" * 300]
        for number, name in enumerate(given):
            tag = emulator.add_tag(name)
            emulator.add_picture(distinct_jpeg(number), (64, 48), [(tag, 0.1, 0.1, 0.2, 0.2)])
        names = {row.name for row in import_it().version.classes.all()}
        assert len(names) == len(given)
        assert {"bia", "Bia", "a/b", "<b>x</b>", "dòng mới", "🍺", "Bìa", "x" * 100} <= names

    def test_one_bad_entry_costs_one_picture(
        self, emulator: Emulator, import_it: ImportIt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(emulator, 40)
        spoil(emulator, monkeypatch, [emulator.pictures[17].id])
        job = import_it()
        assert job.version.images_total == 39
        assert warnings_of(job)["remote_picture_unreadable"] == 1


class TestListing:
    def test_that_fails_in_the_middle_ends_the_import_with_its_reason(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 300)

        def fault(asked: Asked) -> Answer | None:
            is_second = asked.path.endswith("/images/tagged") and asked.query["skip"] != "0"
            return Answer(500) if is_second else None

        emulator.faults.append(fault)
        job = import_it()
        assert code_of(job) == "custom_vision_away"
        assert all(row["code"] != "custom_vision_away" for row in job.version.warnings)


class TestMovingListing:
    def test_pictures_that_go_while_others_come_cost_none_of_the_others(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        """As many come as go: the count tells nothing."""
        fill(emulator, 400)
        tag, pages = next(iter(emulator.tags)), count()
        kept = [picture.id for picture in emulator.pictures[50:]]

        def move(asked: Asked) -> Answer | None:
            if asked.path.endswith("/images/tagged") and next(pages) == 1:
                # Those behind move forward, past what is asked for next.
                emulator.remove(*(picture.id for picture in emulator.pictures[:50]))
                for number in range(50):
                    box = [(tag, 0.1, 0.1, 0.2, 0.2)]
                    emulator.add_picture(distinct_jpeg(5000 + number), (64, 48), box)
            return None

        emulator.faults.append(move)
        job = import_it()
        here = DatasetImage.objects.filter(version=job.version)
        assert set(kept) <= set(here.values_list("file_name", flat=True))
        assert "custom_vision_moved" not in warnings_of(job)

    def test_one_that_never_rests_is_told(self, emulator: Emulator, import_it: ImportIt) -> None:
        fill(emulator, 300)
        untagged = [emulator.add_picture(distinct_jpeg(900 + n), (64, 48)).id for n in range(9)]
        tag = next(iter(emulator.tags))

        def move(asked: Asked) -> Answer | None:
            if asked.path.endswith("/images/tagged") and untagged:
                emulator.remove(emulator.pictures[0].id)
                emulator.tag(untagged.pop(), tag)
            return None

        emulator.faults.append(move)
        job = import_it()
        assert warnings_of(job)["custom_vision_moved"] == 1
        assert describe("custom_vision_moved")[1]


class TestBaselines:
    def test_figures_that_are_none_and_names_that_cannot_be_shown(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 4)
        nan, infinite = float("nan"), float("inf")
        row = {"name": "a\x00b\u202ec", "precision": nan, "recall": 0.5}
        emulator.publish("tết\x00\n2026", [{**row, "averagePrecision": -infinite}])
        emulator.iterations[0]["name"] = "x" * 500
        for figures in emulator.performance.values():
            figures.update(precision=nan, recall=infinite)
        job = import_it()
        [baseline] = job.version.baselines
        assert (baseline["name"], baseline["published_as"]) == ("x" * 100, "tết 2026")
        assert (baseline["precision"], baseline["recall"]) == (None, None)
        assert baseline["average_precision"] == 0.88
        assert baseline["classes"] == [
            {"name": "a b c", "precision": None, "recall": 0.5, "average_precision": None}
        ]
        assert warnings_of(job) == {}

    def test_that_cannot_be_asked_for_are_missing_and_it_is_said(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 4)
        emulator.publish("tết", [])
        emulator.faults.append(on("/iterations", Answer(500), every=True))
        job = import_it()
        assert (job.status, job.version.baselines) == (Status.SUCCEEDED, [])
        assert warnings_of(job) == {"baselines_unknown": 1}

    @pytest.mark.parametrize("answer", [Answer(500), Answer(404), Answer(200, b"<html>")])
    def test_one_without_figures_costs_itself(
        self, emulator: Emulator, import_it: ImportIt, answer: Answer
    ) -> None:
        fill(emulator, 4)
        for name in ("hè", "tết"):
            emulator.publish(name, [])
        broken = emulator.iterations[0]["id"]
        emulator.faults.append(on(f"/iterations/{broken}/performance", answer, every=True))
        job = import_it()
        assert [row["published_as"] for row in job.version.baselines] == ["tết"]
        assert warnings_of(job) == {"baseline_unknown": 1}
        assert job.version.warnings[0]["examples"] == ["hè"]

    @pytest.mark.parametrize("language", ["en", "vi"])
    def test_their_absence_is_said_in_both_languages(self, language: str) -> None:
        with translation.override(language):
            for code in ("baselines_unknown", "baseline_unknown", "custom_vision_moved"):
                text, hint = describe(code, {"count": 2})
                is_vietnamese = any(letter in text for letter in "ảấệôạươ")
                assert hint and is_vietnamese == (language == "vi")


def test_the_key_is_found_nowhere(
    emulator: Emulator, queue_it: ImportIt, search_everything: Callable[[str], list[str]]
) -> None:
    fill(emulator, 3)
    job = queue_it()
    assert search_everything(KEY) == []
    run_import(str(job.pk))
    assert search_everything(KEY) == []
    assert not ImportSecret.objects.exists()
