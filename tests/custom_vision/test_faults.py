"""What goes wrong on the other side: each with its reason, and nothing half-done."""

import json
import time
from collections.abc import Callable
from itertools import count

import pytest

from datasets.models import DatasetImage, Import, ImportSecret, RemotePicture
from datasets.sources.custom_vision import calls, tries
from datasets.tasks import run_import
from jobs import queue
from jobs.states import Status
from tests.custom_vision.conftest import ImportIt, fill
from tests.custom_vision.emulator import (
    CLASSIFICATION_DOMAIN,
    KEY,
    Answer,
    Asked,
    Emulator,
    Fault,
)
from tests.datasets.importing import distinct_jpeg, fresh, warnings_of
from tests.datasets.samples import jpeg, picture, turned_away, with_orientation

UNKNOWN = "0f8fad5b-d9cb-469f-a165-70867728950e"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less between two tries than with the real one."""
    monkeypatch.setattr(calls, "_FIRST_WAIT", 0.05)
    monkeypatch.setattr(tries, "_WAITS", (0.02, 0.02, 0.02))
    monkeypatch.setattr("datasets.custom_vision._PATIENCE", 3.0)


def on(part: str, *answers: Answer, every: bool = False) -> Fault:
    """Answer requests whose path ends with `part`: in turn, then not any more."""
    left = list(answers)

    def fault(asked: Asked) -> Answer | None:
        if not asked.path.endswith(part) or not left:
            return None
        return left[0] if every else left.pop(0)

    return fault


def code_of(job: Import) -> str:
    assert job.status == Status.FAILED
    assert job.error is not None
    return str(job.error["code"])


def error_body(code: str = "BadRequest") -> bytes:
    return json.dumps({"code": code, "message": "?sig=CANARY"}).encode()


class TestRefusals:
    def test_a_wrong_key(self, emulator: Emulator, import_it: ImportIt) -> None:
        fill(emulator, 2)
        job = import_it(training_key="wrong")
        assert code_of(job) == "custom_vision_key"
        assert not ImportSecret.objects.exists()
        assert job.version.status == "failed"

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


class TestPictures:
    def test_that_cannot_be_used_are_left_out_with_their_reason(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 8)
        tag = next(iter(emulator.tags))
        bad = {
            "picture_unreadable": b"hello, I am a text",
            "picture_format": b"GIF89a" + bytes(40),
            "picture_truncated": jpeg((200, 200))[:-900],
        }
        made = {
            code: emulator.add_picture(content, (64, 48), [(tag, 0.1, 0.1, 0.2, 0.2)])
            for code, content in bad.items()
        }
        gone, moved = (
            emulator.add_picture(distinct_jpeg(70 + n), (64, 48), [(tag, 0.1, 0.1, 0.2, 0.2)])
            for n in range(2)
        )
        elsewhere = {"Location": "http://127.0.0.1:1/"}
        emulator.faults += [
            on(gone.id, Answer(404), every=True),
            on(moved.id, Answer(302, b"", elsewhere), every=True),
        ]
        job = import_it()
        told = warnings_of(job)
        assert job.version.images_total == 8
        assert {code: told[code] for code in bad} == dict.fromkeys(bad, 1)
        assert (told["remote_picture_gone"], told["remote_picture_host"]) == (1, 1)
        assert told["custom_vision_difference"] >= 3
        examples = {row["code"]: row["examples"] for row in job.version.warnings}
        assert examples["picture_truncated"] == [made["picture_truncated"].id]

    def test_that_come_cut_short_are_fetched_again(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 4)
        victim = emulator.pictures[1]
        broken = Answer(200, victim.content, cut_at=50)
        emulator.faults.append(on(victim.id, broken, Answer(503), broken))
        job = import_it()
        assert job.version.images_total == 4
        assert warnings_of(job) == {}

    def test_that_lie_elsewhere_are_not_fetched(
        self, emulator: Emulator, import_it: ImportIt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(emulator, 4)
        shown = emulator._shown

        def elsewhere(picture: object) -> dict:
            row = shown(picture)  # type: ignore[arg-type]
            if row["id"] == emulator.pictures[0].id:
                row["originalImageUri"] = "http://10.0.0.5/secret?sig=CANARY"
            return row

        monkeypatch.setattr(emulator, "_shown", elsewhere)
        job = import_it()
        assert warnings_of(job)["remote_picture_host"] == 1
        assert "CANARY" not in json.dumps(job.version.warnings)

    def test_of_a_private_network_come_through_the_api(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 5)
        emulator.relative_links = True
        job = import_it()
        assert (job.version.images_total, warnings_of(job)) == (5, {})

    def test_whose_links_expire_get_fresh_ones(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 120)
        seen = count()

        def expire(asked: Asked) -> Answer | None:
            if asked.path.startswith("/blobs/") and next(seen) in {20, 70}:
                emulator.signature += 1
            return None

        emulator.faults.append(expire)
        job = import_it()
        assert (job.version.images_total, warnings_of(job)) == (120, {})

    def test_that_stay_forbidden_are_left_out(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 5)
        emulator.faults.append(on(emulator.pictures[2].id, Answer(403), every=True))
        job = import_it()
        assert job.version.images_total == 4
        assert warnings_of(job)["remote_picture_forbidden"] == 1

    def test_none_comes_any_more(self, emulator: Emulator, import_it: ImportIt) -> None:
        """The import ends, and the next one fetches only what is missing."""
        fill(emulator, 160)
        seen = count()

        def down(asked: Asked) -> Answer | None:
            is_down = asked.path.startswith("/blobs/") and next(seen) >= 60
            return Answer(503) if is_down else None

        emulator.faults.append(down)
        assert code_of(import_it()) == "custom_vision_away"
        assert RemotePicture.objects.count() >= 40
        kept = set(RemotePicture.objects.values_list("remote_id", flat=True))
        emulator.faults.clear()
        emulator.asked.clear()
        job = import_it()
        assert (job.version.images_total, warnings_of(job)) == (160, {})
        assert not kept & set(emulator.fetched())

    def test_drawn_before_their_camera_turned_them(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        """Sides as stored, sides as seen, and sides that tell nothing."""
        fill(emulator, 4)
        tag = next(iter(emulator.tags))
        box = [(tag, 0.0, 0.0, 0.5, 0.25)]
        for size, orientation, named in (
            ((80, 120), 6, (120, 80)),
            ((82, 120), 6, (82, 120)),
            ((90, 90), 3, (90, 90)),
        ):
            stored = turned_away(picture(size), orientation)
            emulator.add_picture(with_orientation(stored, orientation), named, box)
        job = import_it()
        on_stored, on_seen, _ = DatasetImage.objects.filter(version=job.version)[4:]
        # What was top left lies at the right after a quarter turn.
        assert on_stored.boxes[0][1:] == pytest.approx([60, 0, 80, 60])
        assert on_seen.boxes[0][1:] == pytest.approx([0, 0, 41, 30])
        assert warnings_of(job)["picture_turn_doubtful"] == 1


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
        shown = emulator._shown

        def bad(picture: object) -> dict:
            row = shown(picture)  # type: ignore[arg-type]
            return {**row, "width": "wide"} if row["id"] == emulator.pictures[17].id else row

        monkeypatch.setattr(emulator, "_shown", bad)
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
    def test_pictures_deleted_and_added_meanwhile_cost_none_of_the_others(
        self, emulator: Emulator, import_it: ImportIt
    ) -> None:
        fill(emulator, 600)
        tag, pages = next(iter(emulator.tags)), count()
        kept = [picture.id for picture in emulator.pictures[100:]]

        def move(asked: Asked) -> Answer | None:
            if asked.path.endswith("/images/tagged") and next(pages) == 1:
                # Those behind move forward, past what is asked for next.
                del emulator.pictures[:100]
                box = [(tag, 0.1, 0.1, 0.2, 0.2)]
                emulator.add_picture(distinct_jpeg(5000), (64, 48), box)
            return None

        emulator.faults.append(move)
        job = import_it()
        here = DatasetImage.objects.filter(version=job.version)
        assert set(kept) <= set(here.values_list("file_name", flat=True))


def test_the_key_is_found_nowhere(
    emulator: Emulator, queue_it: ImportIt, search_everything: Callable[[str], list[str]]
) -> None:
    fill(emulator, 3)
    job = queue_it()
    assert search_everything(KEY) == []
    run_import(str(job.pk))
    assert search_everything(KEY) == []
    assert not ImportSecret.objects.exists()
