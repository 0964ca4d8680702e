"""Detecting: what is found and counted, what is refused, and what can be taken away."""

import csv
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from accounts.models import User
from detection import intake, services
from detection.models import Detection, DetectionImage
from detection.tasks import run_detection
from jobs.errors import UserError
from jobs.states import Status
from projects.models import Project
from storage.errors import StorageError
from tests.detection.conftest import REAL_WEIGHTS
from tests.detection.files import sent, stored
from tests.factories import make_model, make_picture, make_project
from tests.personas import ClientFactory
from tests.storage.zips import zip_of
from training.models import TrainedModel

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/detections/"


def body(**fields: Any) -> dict[str, Any]:
    return {"images": [sent()], "wait": 5, **fields}


@pytest.mark.usefixtures("at_once")
class TestAnswer:
    """What a client gets."""

    def test_objects_boxes_counts_and_timing_are_as_agreed(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        answer = api(editor).post(
            URL, body(model=str(model.pk), images=[sent(), sent("b.jpg")]), format="multipart"
        )

        found = answer.json()
        assert answer.status_code == 200, found
        assert found.keys() >= {"id", "project", "model", "status", "error", "progress"}
        assert (found["model"], found["status"]) == (str(model.pk), "succeeded")
        assert (found["conf"], found["iou"]) == (0.25, 0.7)
        assert found["counts"] == {"can": 2}
        assert set(found["timing_ms"]) == {
            "queue", "preprocess", "inference", "postprocess", "total",
        }  # fmt: skip
        first = found["images"][0]
        assert set(first) == {
            "index", "file_name", "width", "height", "objects", "counts", "image_url",
            "annotated_url", "error",
        }  # fmt: skip
        assert (first["file_name"], first["width"], first["height"]) == ("kệ.jpg", 96, 64)
        assert first["counts"] == {"can": 1}
        (can,) = first["objects"]
        assert (can["class_id"], can["class_name"]) == (0, "can")
        assert can["confidence"] == pytest.approx(0.88, abs=0.02)
        assert can["box"] == pytest.approx({"x1": 0, "y1": 0, "x2": 96, "y2": 64}, abs=1)

    def test_another_confidence_is_asked_for_without_detecting_again(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        client = api(editor)
        strict = client.post(URL, body(model=str(model.pk), conf=0.95), format="multipart").json()
        assert strict["counts"] == {}

        more = client.get(f"{URL}{strict['id']}/", {"conf": 0.05}).json()

        assert more["counts"] == more["images"][0]["counts"] == {"can": 1}
        assert more["conf"] == 0.95
        low = client.get(f"{URL}{strict['id']}/", {"conf": 0.01})
        assert (low.status_code, low.json()["errors"][0]["field"]) == (400, "conf")

    def test_one_bad_picture_gets_its_own_error_and_the_others_are_answered(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        pictures = [sent(), sent("hỏng.jpg", b"no picture"), sent("c.jpg")]

        found = (
            api(editor)
            .post(URL, body(model=str(model.pk), images=pictures), format="multipart")
            .json()
        )

        assert found["status"] == "succeeded"
        assert [image["counts"] for image in found["images"]] == [{"can": 1}, {}, {"can": 1}]
        bad = found["images"][1]
        assert bad["file_name"] == "hỏng.jpg"
        assert set(bad["error"]) == {"code", "message", "hint"}
        assert bad["error"]["code"] == "picture_unreadable"
        assert (bad["image_url"], bad["annotated_url"]) == (None, None)
        assert found["images"][0]["error"] is None

    def test_an_empty_file_is_one_bad_picture(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        empty = SimpleUploadedFile("rỗng.jpg", b"")
        found = (
            api(editor)
            .post(URL, body(model=str(model.pk), images=[empty, sent()]), format="multipart")
            .json()
        )
        assert [bool(image["error"]) for image in found["images"]] == [True, False]

    def test_a_zip_of_pictures_is_as_good(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        content = zip_of({"a/1.jpg": make_picture(), "2.jpg": make_picture(), "readme.txt": "x"})
        archive = SimpleUploadedFile("ảnh.zip", content)

        found = (
            api(editor)
            .post(URL, body(model=str(model.pk), images=[archive]), format="multipart")
            .json()
        )

        assert {image["file_name"] for image in found["images"]} == {"1.jpg", "2.jpg"}
        assert found["counts"] == {"can": 2}

    def test_a_project_stands_for_its_model_in_use(
        self, api: ClientFactory, viewer: User, project: Project, model: TrainedModel
    ) -> None:
        make_model(project)
        found = api(viewer).post(URL, body(project=str(project.pk)), format="multipart")
        assert (found.status_code, found.json()["model"]) == (200, str(model.pk))

    def test_a_phones_picture_is_turned_upright(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = io.BytesIO()
        Image.new("RGB", (96, 64), "gray").save(turned, "JPEG", exif=exif)
        client = api(editor)

        form = body(model=str(model.pk), images=[sent("a.jpg", turned.getvalue())])
        found = client.post(URL, form, format="multipart")

        image = found.json()["images"][0]
        assert (image["width"], image["height"]) == (64, 96)
        content = b"".join(client.get(image["image_url"]).streaming_content)  # type: ignore[attr-defined]
        with Image.open(io.BytesIO(content)) as shown:
            assert shown.size == (64, 96)
            assert not shown.getexif()

    def test_the_annotated_picture_is_drawn(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        client = api(editor)
        image = client.post(URL, body(model=str(model.pk)), format="multipart").json()["images"][0]

        drawn = client.get(image["annotated_url"])
        plain = client.get(image["annotated_url"], {"conf": 0.99})

        assert drawn["Content-Type"] == "image/jpeg"
        colours = [len(set(pixels(answer.content))) for answer in (drawn, plain)]
        assert colours[0] > colours[1] + 10

    def test_the_same_key_gives_the_same_detection(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        client = api(editor)
        key = {"Idempotency-Key": "once"}
        content = make_picture()

        def post(**fields: Any) -> Any:
            form = body(model=str(model.pk), images=[sent(content=content)], **fields)
            return client.post(URL, form, format="multipart", headers=key)

        first, second, other = post(), post(), post(conf=0.5)

        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json()["id"] == second.json()["id"]
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
        assert Detection.objects.count() == 1

    def test_what_came_in_is_replaced_by_what_is_safe_and_goes_with_the_row(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        before = stored()
        client = api(editor)
        found = client.post(URL, body(model=str(model.pk)), format="multipart").json()
        assert all(file.endswith(".jpg") for file in stored() - before)

        assert client.delete(f"{URL}{found['id']}/").status_code == 204
        assert stored() == before

    @pytest.mark.skipif(not REAL_WEIGHTS.exists(), reason="the real weights are not here")
    def test_real_weights_find_people_and_a_bus(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        import ultralytics

        bus = Path(ultralytics.__file__).parent / "assets" / "bus.jpg"
        names = ["person", "bicycle", "car", "motorcycle", "airplane", "bus"]
        real = make_model(project, weights=REAL_WEIGHTS.read_bytes(), classes=names, imgsz=640)

        form = body(model=str(real.pk), images=[sent("bus.jpg", bus.read_bytes())], wait=60)
        found = api(editor).post(URL, form, format="multipart").json()

        assert found["counts"]["bus"] == 1
        assert found["counts"]["person"] >= 3


def pixels(content: bytes) -> list[Any]:
    with Image.open(io.BytesIO(content)) as picture:
        return list(picture.convert("RGB").getdata())


@pytest.mark.usefixtures("waiting")
class TestRequest:
    """What is taken and what is refused before any work is done."""

    def test_not_done_in_time_it_is_202_and_found_later(
        self, api: ClientFactory, editor: User, model: TrainedModel
    ) -> None:
        client = api(editor)
        answer = client.post(URL, body(model=str(model.pk), wait=0), format="multipart")

        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        run_detection(answer.json()["id"])
        later = client.get(f"{URL}{answer.json()['id']}/").json()
        assert (later["status"], later["counts"]) == ("succeeded", {"can": 1})

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("conf", 1.1),
            ("conf", 0.04),
            ("iou", 2),
            ("iou", -0.1),
            ("wait", -1),
            ("wait", 61),
            ("conf", "x"),
        ],
    )
    def test_a_number_out_of_range_names_its_field(
        self, api: ClientFactory, editor: User, model: TrainedModel, field: str, value: Any
    ) -> None:
        answer = api(editor).post(
            URL, body(model=str(model.pk), **{field: value}), format="multipart"
        )
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == [field]

    @pytest.mark.parametrize(
        ("language", "said"), [("en", "between 0.05 and 1"), ("vi", "giữa 0.05 và 1")]
    )
    def test_a_confidence_below_what_is_kept_is_told_the_range(
        self, api: ClientFactory, editor: User, model: TrainedModel, language: str, said: str
    ) -> None:
        # Answered with what is kept, it would look as if that were all there is.
        client, wanted = api(editor), {"Accept-Language": language}
        form = body(model=str(model.pk), conf=0.01)
        answer = client.post(URL, form, format="multipart", headers=wanted)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["field"]) == (400, "conf")
        assert said in error["detail"], error
        assert not Detection.objects.exists()
        lowest = body(model=str(model.pk), conf=0.05, wait=0)
        assert client.post(URL, lowest, format="multipart").status_code == 202

    def test_a_model_that_may_not_be_seen_is_none(self, api: ClientFactory, editor: User) -> None:
        foreign = make_model()
        answer = api(editor).post(URL, body(model=str(foreign.pk)), format="multipart")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "model")

    def test_a_model_of_another_project_is_refused(
        self, api: ClientFactory, owner: User, project: Project
    ) -> None:
        other = make_model(make_project(owner))
        answer = api(owner).post(
            URL, body(model=str(other.pk), project=str(project.pk)), format="multipart"
        )
        (error,) = answer.json()["errors"]
        found = (answer.status_code, error["field"], error["code"])
        assert found == (400, "model", "does_not_exist")
        assert not Detection.objects.exists()

    def test_without_model_and_project_or_without_a_model_in_use(
        self, api: ClientFactory, editor: User, project: Project
    ) -> None:
        assert (
            api(editor).post(URL, body(), format="multipart").json()["errors"][0]["field"]
            == "model"
        )
        nothing = api(editor).post(URL, body(project=str(project.pk)), format="multipart")
        assert (nothing.status_code, nothing.json()["code"]) == (400, "no_production_model")

    def test_a_zip_without_pictures_or_with_too_many(
        self, api: ClientFactory, editor: User, model: TrainedModel, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(intake, "MOST_PICTURES", 2)
        client = api(editor)
        cases = {
            "no_picture_sent": zip_of({"a.txt": "x"}),
            "too_many_pictures": zip_of({f"{n}.jpg": make_picture() for n in range(3)}),
            "archive_truncated": zip_of({"a.jpg": make_picture()})[:-40],
        }
        for code, content in cases.items():
            form = body(model=str(model.pk), images=[SimpleUploadedFile("a.zip", content)])
            answer = client.post(URL, form, format="multipart")
            assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert not Detection.objects.exists()

    def test_a_full_disk_leaves_nothing(
        self, api: ClientFactory, editor: User, model: TrainedModel, monkeypatch: Any
    ) -> None:
        before, real, written = stored(), intake.put_file, 0

        def put_file(*args: Any, **kwargs: Any) -> Any:
            nonlocal written
            written += 1
            if written == 3:
                raise StorageError("storage_full", free_mb=3)
            return real(*args, **kwargs)

        monkeypatch.setattr(intake, "put_file", put_file)
        form = body(model=str(model.pk), images=[sent(), sent(), sent()])

        answer = api(editor).post(URL, form, format="multipart")

        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
        assert stored() == before
        assert not Detection.objects.exists()


@pytest.mark.usefixtures("waiting")
class TestWork:
    """What the worker refuses."""

    def work(self, model: TrainedModel, user: User) -> Detection:
        job = services.start_detection(
            project=model.project, user=user, model=model, pictures=[sent()]
        )
        run_detection(str(job.pk))
        return Detection.objects.get(pk=job.pk)

    def test_a_full_disk_is_said(
        self, owner: User, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def put_file(*_: Any, **__: Any) -> Any:
            raise StorageError("storage_full", free_mb=3)

        monkeypatch.setattr("detection.detect.put_file", put_file)
        done = self.work(model, owner)
        assert (done.status, done.error["code"]) == (Status.FAILED, "storage_full")

    def test_weights_that_were_tampered_with_are_not_loaded(
        self, owner: User, project: Project, weights: bytes
    ) -> None:
        changed = make_model(project, weights=weights + b"x", sha256="0" * 64)
        done = self.work(changed, owner)
        assert (done.status, done.error["code"]) == (Status.FAILED, "weights_refused")

    @pytest.mark.parametrize("form", ["plain pickle", "torch file"])
    def test_code_in_weights_is_never_run(
        self, owner: User, project: Project, tmp_path: Path, form: str
    ) -> None:
        sign = tmp_path / "executed"
        evil = evil_weights(sign, form)

        done = self.work(make_model(project, weights=evil), owner)

        assert (done.status, done.error["code"]) == (Status.FAILED, "weights_refused")
        assert not sign.exists()

    def test_weights_that_are_gone_are_missed(self, owner: User, project: Project) -> None:
        gone = make_model(project, weights=b"never loaded before")
        gone.file.storage.delete(gone.file.name)
        done = self.work(gone, owner)
        assert (done.status, done.error["code"]) == (Status.FAILED, "stored_file_missing")


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self._sign = str(sign)

    def __reduce__(self) -> Any:
        return os.mkdir, (self._sign,)


def evil_weights(sign: Path, form: str) -> bytes:
    if form == "plain pickle":
        return pickle.dumps({"model": Evil(sign)})
    import torch

    output = io.BytesIO()
    torch.save({"model": Evil(sign)}, output)
    return output.getvalue()


class TestExports:
    """What was found, for other programs."""

    @pytest.fixture
    def done(self, owner: User, model: TrainedModel, at_once: None) -> Detection:
        pictures = [sent("=1+1.jpg"), sent("hỏng.jpg", b"x"), sent("kệ hàng.jpg")]
        model.classes = ["@can", "bottle"]
        model.save()
        job = services.start_detection(
            project=model.project, user=owner, model=model, pictures=pictures
        )
        return Detection.objects.get(pk=job.pk)

    def export(self, api: ClientFactory, user: User, done: Detection, wanted: str) -> bytes:
        answer = api(user).get(f"{URL}{done.pk}/export/", {"format": wanted})
        assert answer.status_code == 200
        assert "attachment" in answer["Content-Disposition"]
        streaming: Any = answer
        return b"".join(streaming) if answer.streaming else answer.content

    def test_csv_is_harmless_in_a_spreadsheet(
        self, api: ClientFactory, viewer: User, done: Detection
    ) -> None:
        text = self.export(api, viewer, done, "csv").decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["image"] for row in rows] == ["'=1+1.jpg", "kệ hàng.jpg"]
        assert {row["class_name"] for row in rows} == {"'@can"}
        assert float(rows[0]["x2"]) == pytest.approx(96, abs=1)

    def test_json(self, api: ClientFactory, viewer: User, done: Detection) -> None:
        found = json.loads(self.export(api, viewer, done, "json"))
        assert found["counts"] == {"@can": 2}
        assert [len(image["objects"]) for image in found["images"]] == [1, 0, 1]

    def test_coco(self, api: ClientFactory, viewer: User, done: Detection) -> None:
        found = json.loads(self.export(api, viewer, done, "coco"))
        assert [category["id"] for category in found["categories"]] == [1, 2]
        assert [one["image_id"] for one in found["annotations"]] == [1, 3]
        box = found["annotations"][0]
        assert box["bbox"] == pytest.approx([0, 0, 96, 64], abs=1)
        assert box["area"] == pytest.approx(96 * 64, rel=0.05)

    def test_a_zip_of_annotated_pictures(
        self, api: ClientFactory, viewer: User, done: Detection
    ) -> None:
        content = self.export(api, viewer, done, "zip")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            pictures = [name for name in archive.namelist() if name.endswith(".jpg")]
            assert len(pictures) == 2
            assert all(Image.open(archive.open(name)).size == (96, 64) for name in pictures)

    def test_another_format_is_refused(
        self, api: ClientFactory, viewer: User, done: Detection
    ) -> None:
        answer = api(viewer).get(f"{URL}{done.pk}/export/", {"format": "exe"})
        assert (answer.status_code, answer.json()["code"]) == (400, "format_unknown")


def test_no_picture_is_refused(owner: User, project: Project) -> None:
    with pytest.raises(UserError, match="no_picture_sent"):
        services.start_detection(
            project=project, user=owner, model=make_model(project), pictures=[]
        )
    assert not DetectionImage.objects.exists()
