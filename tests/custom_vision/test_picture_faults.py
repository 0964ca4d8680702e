"""Pictures that do not come, from their storage or from a private network through the API.

Each is left out with its reason or fetched again; the others come whatever happens to one.
"""

import json
from itertools import count

import pytest

from datasets.models import DatasetImage, RemotePicture
from datasets.sources.custom_vision import calls
from tests.custom_vision.conftest import ImportIt, fill
from tests.custom_vision.emulator import Answer, Asked, Emulator, Fault
from tests.custom_vision.faults import code_of, error_body, on, spoil
from tests.datasets.importing import warnings_of
from tests.datasets.samples import jpeg, picture, turned_away, with_orientation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hurried")]


@pytest.fixture(autouse=True)
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch as fast as the emulator answers; test_pace.py sees to the rate."""
    monkeypatch.setattr(calls, "RATE", 1000.0)


@pytest.fixture(params=["storage", "private"])
def remote(request: pytest.FixtureRequest, emulator: Emulator) -> Emulator:
    """A project whose pictures come from storage, or from a private network."""
    emulator.relative_links = request.param == "private"
    return emulator


def expiring(emulator: Emulator, *numbers: int) -> Fault:
    """Let all links expire when the picture of a number is fetched."""
    seen = count()

    def fault(asked: Asked) -> Answer | None:
        if asked.picture and next(seen) in numbers:
            emulator.signature += 1
        return None

    return fault


class TestOnePicture:
    def test_that_cannot_be_used_is_left_out_with_its_reason(
        self, remote: Emulator, import_it: ImportIt
    ) -> None:
        fill(remote, 8)
        tag = next(iter(remote.tags))
        bad = {
            "picture_unreadable": b"hello, I am a text",
            "picture_format": b"GIF89a" + bytes(40),
            "picture_truncated": jpeg((200, 200))[:-900],
        }
        made = {
            code: remote.add_picture(content, (64, 48), [(tag, 0.1, 0.1, 0.2, 0.2)])
            for code, content in bad.items()
        }
        job = import_it()
        told = warnings_of(job)
        assert job.version.images_total == 8
        assert {code: told[code] for code in bad} == dict.fromkeys(bad, 1)
        assert told["custom_vision_difference"] >= 3
        examples = {row["code"]: row["examples"] for row in job.version.warnings}
        assert examples["picture_truncated"] == [made["picture_truncated"].id]

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (Answer(404), "remote_picture_gone"),
            (Answer(410, error_body()), "remote_picture_gone"),
            (Answer(302, b"", {"Location": "http://127.0.0.1:1/"}), "remote_picture_host"),
            (Answer(400, error_body()), "remote_picture_away"),
            (Answer(403), "remote_picture_forbidden"),
            (Answer(401, error_body()), "remote_picture_forbidden"),
            (Answer(500), "remote_picture_away"),
            (Answer(503, error_body()), "remote_picture_away"),
            (Answer(200, b"\xff\xd8", cut_at=1), "remote_picture_away"),
            (
                Answer(200, b"\xff\xd8", {"Content-Length": str(65 * 1024 * 1024)}, cut_at=1),
                "remote_picture_too_large",
            ),
        ],
    )
    def test_that_never_comes_is_left_out_with_its_reason(
        self, remote: Emulator, import_it: ImportIt, answer: Answer, code: str
    ) -> None:
        fill(remote, 5)
        victim = remote.pictures[2]
        remote.faults.append(on(victim.id, answer, every=True))
        job = import_it()
        examples = {row["code"]: row["examples"] for row in job.version.warnings}
        assert (job.version.images_total, warnings_of(job)[code]) == (4, 1)
        assert examples[code] == [victim.id]
        assert "CANARY" not in json.dumps(job.version.warnings)

    def test_that_comes_cut_short_is_fetched_again(
        self, remote: Emulator, import_it: ImportIt
    ) -> None:
        fill(remote, 4)
        victim = remote.pictures[1]
        broken = Answer(200, victim.content, cut_at=50)
        remote.faults.append(on(victim.id, broken, Answer(503), broken))
        job = import_it()
        assert (job.version.images_total, warnings_of(job)) == (4, {})

    def test_that_lies_elsewhere_is_not_fetched(
        self, remote: Emulator, import_it: ImportIt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(remote, 4)
        shown = remote._shown

        def elsewhere(picture: object) -> dict:
            row = shown(picture)  # type: ignore[arg-type]
            if row["id"] == remote.pictures[0].id:
                row["originalImageUri"] = "http://10.0.0.5/secret?sig=CANARY"
            return row

        monkeypatch.setattr(remote, "_shown", elsewhere)
        job = import_it()
        assert warnings_of(job)["remote_picture_host"] == 1
        assert "CANARY" not in json.dumps(job.version.warnings)

    def test_drawn_before_its_camera_turned_it(
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


class TestExpiredLinks:
    def test_are_made_anew(self, remote: Emulator, import_it: ImportIt) -> None:
        fill(remote, 120)
        remote.faults.append(expiring(remote, 20, 70))
        job = import_it()
        assert (job.version.images_total, warnings_of(job)) == (120, {})

    def test_one_entry_that_cannot_be_read_costs_itself(
        self, remote: Emulator, import_it: ImportIt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It spoils the answer that it is in, which tells the new links of many others."""
        fill(remote, 120)
        victim = remote.pictures[60].id

        def spoiled(asked: Asked) -> Answer | None:
            if asked.path.endswith("/images/id"):
                spoil(remote, monkeypatch, [victim])
                remote.faults.remove(spoiled)
            return None

        remote.faults += [expiring(remote, 10), spoiled]
        job = import_it()
        examples = {row["code"]: row["examples"] for row in job.version.warnings}
        assert job.version.images_total == 119
        assert examples["remote_picture_unreadable"] == [victim]
        assert "remote_picture_gone" not in examples

    def test_of_deleted_pictures_have_no_new_ones(
        self, remote: Emulator, import_it: ImportIt
    ) -> None:
        fill(remote, 60)
        victims = [picture.id for picture in remote.pictures[40:43]]

        def deleted(asked: Asked) -> Answer | None:
            if asked.path.endswith("/images/id") and victims[0] in {
                picture.id for picture in remote.pictures
            }:
                remote.remove(*victims)
            return None

        remote.faults += [expiring(remote, 10), deleted]
        job = import_it()
        assert job.version.images_total == 57
        assert warnings_of(job)["remote_picture_gone"] == 3

    def test_that_nobody_renews_end_the_import(self, remote: Emulator, import_it: ImportIt) -> None:
        """It is not the picture that cannot be had."""
        fill(remote, 30)
        remote.faults += [expiring(remote, 10), on("/images/id", Answer(500), every=True)]
        job = import_it()
        assert code_of(job) == "custom_vision_away"
        assert "custom_vision_away" not in warnings_of(job)


class TestNoneComesAnyMore:
    def test_the_import_ends_and_the_next_one_fetches_what_is_missing(
        self, remote: Emulator, import_it: ImportIt
    ) -> None:
        fill(remote, 160)
        seen = count()

        def down(asked: Asked) -> Answer | None:
            return Answer(503) if asked.picture and next(seen) >= 60 else None

        remote.faults.append(down)
        assert code_of(import_it()) == "custom_vision_away"
        assert RemotePicture.objects.count() >= 40
        kept = set(RemotePicture.objects.values_list("remote_id", flat=True))
        remote.faults.clear()
        remote.asked.clear()
        job = import_it()
        assert (job.version.images_total, warnings_of(job)) == (160, {})
        assert not kept & set(remote.fetched())


class TestThrottledPrivateNetwork:
    """The API hands these pictures out, and may be busy: nothing is wrong with any of them."""

    @pytest.mark.parametrize("headers", [{}, {"Retry-After": "0.4"}])
    def test_all_wait_once_and_come(
        self, emulator: Emulator, import_it: ImportIt, headers: dict[str, str]
    ) -> None:
        fill(emulator, 60)
        emulator.relative_links = True
        answers = [Answer(429, b"", headers)] * 12
        emulator.faults.append(on("/artifacts", *answers))
        job = import_it()
        assert (job.version.images_total, warnings_of(job)) == (60, {})
        told = [event.payload["level"] for event in job.events.filter(type="log")]
        assert 1 <= told.count("warning") < len(answers)

    def test_that_stays_so_ends_the_import(self, emulator: Emulator, import_it: ImportIt) -> None:
        fill(emulator, 20)
        emulator.relative_links = True
        emulator.faults.append(on("/artifacts", Answer(429, error_body()), every=True))
        job = import_it()
        assert code_of(job) == "custom_vision_throttled"
        assert "CANARY" not in json.dumps(job.error)
