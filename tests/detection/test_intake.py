"""Pictures that come in: each is taken or refused by itself, and none for longer than needed."""

import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models.fields.files import FieldFile

from accounts.models import User
from detection import detect, intake, services
from detection.models import Detection, DetectionImage
from detection.tasks import run_detection
from jobs.errors import UserError
from tests.detection.files import sent, stored
from tests.factories import make_picture
from tests.personas import ClientFactory
from tests.storage.zips import zip_of
from training.models import TrainedModel

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/detections/"


def errors_of(found: dict[str, Any]) -> list[str | None]:
    return [image["error"] and image["error"]["code"] for image in found["images"]]


def send(
    client: Any, model: TrainedModel, *pictures: SimpleUploadedFile, wait: float = 5, **more: Any
) -> Any:
    form = {"model": str(model.pk), "images": list(pictures), "wait": wait}
    return client.post(URL, form, format="multipart", **more)


@pytest.mark.usefixtures("at_once")
class TestLarge:
    """A file of any size may be sent; it is neither kept nor read."""

    def test_one_that_is_too_large_is_not_stored_and_the_others_are_answered(
        self,
        api: ClientFactory,
        editor: User,
        model: TrainedModel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(intake, "MAX_PICTURE_BYTES", 5_000)
        before = stored()

        answer = send(api(editor), model, sent(), sent("to.jpg", b"x" * 5_001), sent())

        found = answer.json()
        assert (answer.status_code, found["status"]) == (200, "succeeded"), found
        assert errors_of(found) == [None, "picture_too_large", None]
        assert found["counts"] == {"can": 2}
        large = DetectionImage.objects.get(index=1)
        assert not large.file
        assert not [name for name in stored() - before if str(large.pk) in name]

    def test_in_a_zip_too(
        self,
        api: ClientFactory,
        editor: User,
        model: TrainedModel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(intake, "MAX_PICTURE_BYTES", 5_000)
        content = zip_of({"a.jpg": make_picture(), "b.jpg": b"x" * 5_001})
        found = send(api(editor), model, SimpleUploadedFile("a.zip", content)).json()
        assert errors_of(found) == [None, "picture_too_large"]


@pytest.mark.usefixtures("waiting")
def test_the_worker_does_not_read_a_file_that_is_too_large(
    owner: User, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [sent(), sent("to.jpg", make_picture() + b"x" * 5_000)]
    job = services.start_detection(
        project=model.project, user=owner, model=model, pictures=pictures
    )
    large = str(DetectionImage.objects.get(index=1).file.name)
    monkeypatch.setattr(detect, "MAX_PICTURE_BYTES", 5_000)
    opened, real = [], FieldFile.open

    def open_noted(self: Any, mode: str = "rb") -> Any:
        opened.append(self.name)
        return real(self, mode)

    monkeypatch.setattr(FieldFile, "open", open_noted)
    run_detection(str(job.pk))

    job.refresh_from_db()
    images = list(job.images.all())
    assert job.status == "succeeded", job.error
    assert [image.error and image.error["code"] for image in images] == [None, "picture_too_large"]
    assert opened
    assert large not in opened


@pytest.mark.usefixtures("at_once")
class TestZip:
    """One bad member costs only itself."""

    def test_a_damaged_member_gets_its_own_error(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        content = with_damage(zip_of({"a.jpg": make_picture(), "b.jpg": make_picture()}), "a.jpg")

        answer = send(api(editor), model, SimpleUploadedFile("ảnh.zip", content))

        found = answer.json()
        assert (answer.status_code, found["status"]) == (200, "succeeded"), found
        assert errors_of(found) == ["archive_member_damaged", None]
        assert "a.jpg" in found["images"][0]["error"]["message"]
        assert found["counts"] == {"can": 1}

    def test_pictures_of_other_formats_are_told_why_they_are_not_taken(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        heic = b"\0\0\0\x18ftypheic" + b"\0" * 40
        members = {
            "1.jpg": make_picture(), "2.HEIC": heic, "3.gif": b"GIF89a" + b"\0" * 40,
            "4.tif": b"II*\0" + b"\0" * 40, "readme.txt": "x",
        }  # fmt: skip

        answer = send(api(editor), model, SimpleUploadedFile("a.zip", zip_of(members)))

        found = answer.json()
        assert answer.status_code == 200, found
        names = [image["file_name"] for image in found["images"]]
        assert names == ["1.jpg", "2.HEIC", "3.gif", "4.tif"]
        assert errors_of(found) == [None, *["picture_format"] * 3]


def with_damage(content: bytes, name: str) -> bytes:
    """Change one byte of a member's content, so that its sum does not fit."""
    import io

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = archive.getinfo(name)
    place = entry.header_offset + 30 + len(entry.filename.encode()) + entry.compress_size // 2
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


class TestStoring:
    """Files are stored before the transaction: on SQLite it keeps all other writers waiting."""

    KEY = {"Idempotency-Key": "once"}

    @pytest.fixture(autouse=True)
    def in_transaction(self, waiting: None, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """Whether a transaction was open, for each file that was stored."""
        noted, real = [], intake.put_file

        def put_file(*args: Any, **kwargs: Any) -> Any:
            noted.append(connection.in_atomic_block)
            return real(*args, **kwargs)

        monkeypatch.setattr(intake, "put_file", put_file)
        return noted

    def test_holds_up_no_other_writer(
        self, api: ClientFactory, editor: User, model: TrainedModel, in_transaction: list[bool]
    ) -> None:
        content = zip_of({"a.jpg": make_picture(), "b.jpg": make_picture()})
        archive = SimpleUploadedFile("a.zip", content)
        answer = send(api(editor), model, archive, wait=0, headers=self.KEY)
        assert answer.status_code == 202
        assert in_transaction == [False, False]

    def test_is_done_once_for_a_key(
        self, api: ClientFactory, editor: User, model: TrainedModel, in_transaction: list[bool]
    ) -> None:
        picture = make_picture()
        ids = {
            send(api(editor), model, sent(content=picture), wait=0, headers=self.KEY).json()["id"]
            for _ in range(2)
        }
        assert len(ids) == len(in_transaction) == 1

    def test_leaves_nothing_of_who_comes_too_late(
        self,
        api: ClientFactory,
        editor: User,
        model: TrainedModel,
        in_transaction: list[bool],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("accounts.idempotency._Key.known_answer", lambda _: None)
        picture = make_picture()
        send(api(editor), model, sent(content=picture), wait=0, headers=self.KEY)
        before = stored()
        send(api(editor), model, sent(content=picture), wait=0, headers=self.KEY)
        assert len(in_transaction) == 2
        assert stored() == before
        assert Detection.objects.count() == 1

    @pytest.mark.parametrize("headers", [{}, KEY])
    def test_leaves_nothing_where_it_cannot_be_queued(
        self,
        api: ClientFactory,
        editor: User,
        model: TrainedModel,
        monkeypatch: pytest.MonkeyPatch,
        headers: dict[str, str],
    ) -> None:
        before, real = stored(), services.queue_detection

        def queue_detection(**values: Any) -> Any:
            TrainedModel.objects.filter(pk=model.pk).delete()
            return real(**values)

        monkeypatch.setattr(services, "queue_detection", queue_detection)
        answer = send(api(editor), model, sent(), wait=0, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "model_foreign")
        assert stored() == before
        assert not Detection.objects.exists()

    def test_leaves_nothing_where_the_answer_cannot_be_kept(
        self,
        api: ClientFactory,
        editor: User,
        model: TrainedModel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuse(*_: Any) -> Any:
            raise UserError("not_active")

        before = stored()
        monkeypatch.setattr("accounts.idempotency._storable", refuse)
        answer = send(api(editor), model, sent(), wait=0, headers=self.KEY)
        assert answer.status_code == 409
        assert stored() == before
        assert not Detection.objects.exists()
