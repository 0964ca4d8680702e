"""What an export holds comes back as the same version: YOLO, COCO and VOC."""

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import supervision as sv
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets import exports, reviewing, services
from datasets.class_edit import ClassChange
from datasets.editing import Edit
from datasets.models import DatasetVersion, ImageProblem, Picture
from tests import factories
from tests.datasets.importing import Bring, distinct_jpeg, import_zip, warnings_of
from tests.datasets.samples import encoded, picture, turned_away, with_orientation
from tests.datasets.test_real_sets import WANTED

pytestmark = pytest.mark.django_db(transaction=True)
FORMATS = sorted(exports.FORMATS)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "datasets"


def exported(version: DatasetVersion, wanted: str) -> bytes:
    """Return a version's export as one ZIP."""
    answer: Any = exports.answer(RequestFactory().get("/"), version, wanted)
    parts = answer.streaming_content
    return b"".join(parts)


def said_of(version: DatasetVersion) -> dict[str, bool | None]:
    """Return by the content of each picture whether it has boxes; nothing where nobody knows."""
    unlabelled = ImageProblem.objects.filter(version=version, code="picture_unlabelled")
    unknown = set(unlabelled.values_list("image", flat=True))
    rows = version.images.values_list("pk", "picture__stored_sha256", "boxes")
    return {digest: None if pk in unknown else bool(boxes) for pk, digest, boxes in rows}


def odd_files() -> dict[str, Any]:
    """Return a set of all that is unusual: names, splits, turned and converted pictures."""
    rng = random.Random(5)
    files: dict[str, Any] = {
        "data.yaml": 'names: ["lon <bia> & \\"trà\\"", "không dùng", "chai: lớn"]\n'
    }
    named = ["ảnh 1.jpg", "Ảnh 1.jpg", "a.b.c.jpg", "x & y.jpg", "-1.jpg", "1 1.jpg", "#2.png"]
    for split, count in (("train", 9), ("val", 4), ("test", 2)):
        for number in range(count):
            name = named[number] if number < len(named) else f"{number}.jpg"
            if split != "train":
                name = named[number]  # the same name in another folder
            content = distinct_jpeg(rng.randrange(10**9))
            if number == 2:
                content = with_orientation(turned_away(picture((60, 90)), 6), 6)
                content = content if split == "train" else distinct_jpeg(rng.randrange(10**9))
            if name.endswith("png"):
                content = encoded(picture((50, 40), mode="P"), "PNG")
            files[f"images/{split}/{name}"] = content
            boxes = [f"{rng.choice([0, 2])} {rng.random()} {rng.random()} 0.3 0.2" for _ in "12"]
            text = (
                "" if number == 3 else "\n".join([*boxes, "0 0.5 0.5 1 1", "2 0.1 0.1 0.004 0.2"])
            )
            files[f"labels/{split}/{name.rsplit('.', 1)[0]}.txt"] = text + "\n"
    return files


@pytest.mark.parametrize("wanted", FORMATS)
def test_an_export_comes_back_as_the_same_version(bring: Bring, wanted: str) -> None:
    first = bring(odd_files()).version
    stored = Picture.objects.count()
    job = bring(exported(first, wanted), dataset_name="lại")
    second = job.version
    told = set(warnings_of(job))
    assert told <= {"class_renamed"}, told
    assert second.fingerprint == first.fingerprint
    assert (second.train_images, second.val_images, second.test_images) == (9, 4, 2)
    assert [row.name for row in second.classes.all()] == [row.name for row in first.classes.all()]
    # Nothing is stored twice.
    assert Picture.objects.count() == stored
    # What came from an export gives the same export again.
    assert exported(second, wanted) == exported(first, wanted)


@pytest.mark.parametrize("wanted", FORMATS)
def test_it_does_so_in_another_project_too(bring: Bring, wanted: str, owner: Any) -> None:
    first = bring(odd_files()).version
    other = factories.make_project(owner)
    again = import_zip(other, owner, exported(first, wanted)).version
    assert again.fingerprint == first.fingerprint


def test_a_picture_and_its_kept_form_are_one(bring: Bring) -> None:
    """In one chunk or two, in both orders, their boxes are those of the upright picture."""
    came = with_orientation(turned_away(picture((60, 90)), 6), 6)
    others = {f"images/{n}.jpg": distinct_jpeg(n) for n in range(120)}
    labels = {f"labels/{n}.txt": "0 0.5 0.5 0.2 0.2\n" for n in range(120)}
    start = {"data.yaml": "names: [a]\n", "images/came.jpg": came, **others}
    text = {"labels/came.txt": "0 0.25 0.25 0.5 0.5\n", **labels}
    bring(start | text)
    kept = Picture.objects.get(orientation=6).file.read()
    box = "0 0.75 0.25 0.5 0.5\n"  # where a quarter turn brings the other one
    for first, second in (("a", "z"), ("z", "a")):
        files = {
            "data.yaml": "names: [a]\n",
            f"images/{first}.jpg": came,
            **others,
            f"images/{second}.jpg": kept,
            **labels,
            f"labels/{first}.txt": "0 0.25 0.25 0.5 0.5\n",
            f"labels/{second}.txt": box,
        }
        job = bring(files, dataset_name=f"{first}{second}")
        image = job.version.images.get(picture__orientation=6)
        assert image.boxes == [[0, 30.0, 0.0, 60.0, 45.0]]
        assert warnings_of(job)["picture_twice"] == 1


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_boxes_come_back(bring: Bring, data: st.DataObject) -> None:
    share = st.floats(0.02, 0.98)
    numbers = data.draw(st.lists(st.integers(0, 10**6), min_size=4, max_size=8, unique=True))
    classes = data.draw(st.integers(1, 4))
    files: dict[str, Any] = {"data.yaml": json.dumps({"names": [f"c{n}" for n in range(classes)]})}
    for number, drawn in enumerate(numbers):
        split = ("train", "val")[number % 2]
        boxes = data.draw(
            st.lists(st.tuples(st.integers(0, classes - 1), share, share, share, share), max_size=5)
        )
        lines = "".join(f"{c} {x} {y} {w} {h}\n" for c, x, y, w, h in boxes)
        files[f"images/{split}/{number}.jpg"] = distinct_jpeg(drawn)
        files[f"labels/{split}/{number}.txt"] = lines or "0 0.5 0.5 0.4 0.4\n"
    name = str(data.draw(st.uuids()))
    first = bring(files, dataset_name=name).version
    for wanted in FORMATS:
        again = bring(exported(first, wanted), dataset_name=f"{name} {wanted}").version
        assert again.fingerprint == first.fingerprint, wanted


class TestWhatIsOnAPicture:
    """Boxes, nothing, or nobody knows."""

    @pytest.fixture
    def first(self, bring: Bring) -> DatasetVersion:
        """In each split pictures with a box, without one, and without a label."""
        files: dict[str, Any] = {"data.yaml": "names: [lon]\n"}
        for number in range(12):
            split = ("train", "val")[number % 2]
            files[f"images/{split}/a.{number}.jpg"] = distinct_jpeg(number)
            if number > 3:
                text = "" if number < 6 else "0 0.5 0.5 0.2 0.2\n"
                files[f"labels/{split}/a.{number}.txt"] = text
        version: DatasetVersion = bring(files).version
        assert sorted(said_of(version).values(), key=str) == [False] * 2 + [None] * 4 + [True] * 6
        return version

    @pytest.mark.parametrize("wanted", FORMATS)
    def test_comes_back(self, bring: Bring, first: DatasetVersion, wanted: str) -> None:
        job = bring(exported(first, wanted), dataset_name="lại")
        assert job.version.fingerprint == first.fingerprint
        assert said_of(job.version) == said_of(first)
        assert warnings_of(job) == {"picture_unlabelled": 4}

    def test_comes_back_after_a_new_split_too(self, bring: Bring, first: DatasetVersion) -> None:
        made = services.resplit_version(version=first, split_ratio=0.4, split_seed=3)
        assert said_of(made) == said_of(first)
        again = bring(exported(made, "yolo"), dataset_name="lại").version
        assert again.fingerprint == made.fingerprint
        assert said_of(again) == said_of(first)

    def test_is_asked_for_once_a_chunk(self, first: DatasetVersion) -> None:
        assert first.dataset.name  # read, and remembered
        with CaptureQueriesContext(connection) as few:
            exported(first, "coco")
        ImageProblem.objects.all().delete()
        with CaptureQueriesContext(connection) as none:
            exported(first, "coco")
        assert len(few) == len(none)

    def test_other_tools_read_lists_in_which_each_picture_has_a_label(
        self, first: DatasetVersion
    ) -> None:
        with zipfile.ZipFile(io.BytesIO(exported(first, "voc"))) as archive:
            names = set(archive.namelist())
            lists = {
                (folder, split): archive.read(f"ImageSets/{folder}/{split}.txt").decode().split()
                for folder in ("Main", "Unlabelled")
                for split in ("train", "val")
            }
        for (folder, _), stems in lists.items():
            for stem in stems:
                assert f"JPEGImages/{stem}.jpg" in names
                assert (f"Annotations/{stem}.xml" in names) == (folder == "Main")
        counts = {place: len(stems) for place, stems in lists.items()}
        assert set(counts.values()) == {4, 2} and sum(counts.values()) == 12


class TestBoxesThatAFileCannotHold:
    """Equal ones, and ones without area: they are left out where they come about."""

    def test_slivers_and_what_is_equal_in_pixels(self, bring: Bring) -> None:
        whole = "0 0.5 0.5 0.2 0.2\n"
        labels = {
            "a": f"{whole}0 0.3 0.3 0.00004 0.2\n0 0.3 0.3 0.2 0.00004\n",
            "b": f"{whole}0 0.5000004 0.5 0.2 0.2\n",
            "c": "0 0.3 0.3 0.00004 0.2\n",
            "d": whole,
        }
        files: dict[str, Any] = {"data.yaml": "names: [lon]\n"}
        for number, (name, text) in enumerate(labels.items()):
            files[f"images/{('train', 'val')[number % 2]}/{name}.jpg"] = distinct_jpeg(number)
            files[f"labels/{('train', 'val')[number % 2]}/{name}.txt"] = text
        job = bring(files)
        assert job.version.boxes == 3
        assert warnings_of(job) == {
            "box_without_area": 3,
            "label_twice": 1,
            "no_label_usable": 1,
            "picture_unlabelled": 1,
        }
        problems = ImageProblem.objects.filter(version=job.version)
        found = sorted(problems.values_list("image__file_name", "code"))
        assert [row for row in found if not row[1].startswith("health")] == [
            ("a.jpg", "box_without_area"),
            ("b.jpg", "label_twice"),
            ("c.jpg", "box_without_area"),
            ("c.jpg", "no_box"),
            ("c.jpg", "no_label_usable"),
            ("c.jpg", "picture_unlabelled"),
        ]
        for wanted in FORMATS:
            again = bring(exported(job.version, wanted), dataset_name=wanted)
            assert again.version.fingerprint == job.version.fingerprint, wanted
            assert warnings_of(again) == {"picture_unlabelled": 1}

    def test_slivers_of_a_picture_that_came_twice(self, bring: Bring) -> None:
        files: dict[str, Any] = {"data.yaml": "names: [lon]\n"}
        for name, number, text in (
            ("a", 1, "0 0.5 0.5 0.2 0.2\n"),
            ("b", 1, "0 0.3 0.3 0.00004 0.2\n0 0.3 0.3 0.1 0.1\n"),
            ("c", 2, "0 0.5 0.5 0.2 0.2\n"),
        ):
            files[f"images/{name}.jpg"] = distinct_jpeg(number)
            files[f"labels/{name}.txt"] = text
        job = bring(files)
        assert job.version.boxes == 3
        assert warnings_of(job) == {"box_without_area": 1, "picture_twice": 1}

    def test_classes_that_become_one(self, bring: Bring) -> None:
        both = "0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.1 0.1\n"
        files: dict[str, Any] = {"data.yaml": "names: [lon, Lon]\n"}
        for number in range(6):
            files[f"images/{number}.jpg"] = distinct_jpeg(number)
            files[f"labels/{number}.txt"] = both if number < 2 else "0 0.5 0.5 0.2 0.2\n"
        first = bring(files).version
        edit = Edit((ClassChange(0, "lon"), ClassChange(1, "lon")))
        made = reviewing.edit_version(version=first, edit=edit)
        assert (first.boxes, made.boxes) == (10, 8)
        told = {row["code"]: row for row in made.warnings}
        assert (told["label_twice"]["count"], told["label_twice"]["examples"]) == (
            2,
            ["0.jpg", "1.jpg"],
        )
        assert made.health["problems"]["label_twice"] == 2
        for wanted in FORMATS:
            again = bring(exported(made, wanted), dataset_name=wanted).version
            assert again.fingerprint == made.fingerprint, wanted

    def test_neighbours_in_the_largest_picture_stay_two(self, bring: Bring) -> None:
        """A hundredth of a pixel of 20,000 is less than the millionth that many labels have."""
        files: dict[str, Any] = {"data.yaml": "names: [lon]\n"}
        for number in range(3):
            image = Image.new("RGB", (20_000, 12), (9 * number, 90, 200))
            files[f"images/{number}.png"] = encoded(image, "PNG")
            x = 0.1 + 0.0000005 * number
            files[f"labels/{number}.txt"] = "".join(
                f"0 {x + 0.0000005 * n:.9f} 0.5 0.1 0.5\n" for n in range(4)
            )
        first = bring(files).version
        assert first.boxes == 12
        for wanted in FORMATS:
            again = bring(exported(first, wanted), dataset_name=wanted).version
            assert again.fingerprint == first.fingerprint, wanted


def test_supervision_reads_the_same(bring: Bring, tmp_path: Path) -> None:
    version = bring(odd_files()).version
    boxes = sum(len(i.boxes) for i in version.images.filter(split="train"))
    for wanted in ("coco", "voc"):
        with zipfile.ZipFile(io.BytesIO(exported(version, wanted))) as archive:
            archive.extractall(tmp_path / wanted)
    coco = sv.DetectionDataset.from_coco(
        str(tmp_path / "coco/images/train"),
        str(tmp_path / "coco/annotations/instances_train.json"),
    )
    voc = sv.DetectionDataset.from_pascal_voc(
        str(tmp_path / "voc/JPEGImages"), str(tmp_path / "voc/Annotations")
    )
    assert (len(coco), len(voc)) == (9, 15)
    assert sum(len(found) for _, _, found in coco) == boxes
    assert sum(len(found) for _, _, found in voc) == version.boxes


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
@pytest.mark.parametrize("name", WANTED)
def test_a_real_set_comes_back(bring: Bring, name: str) -> None:
    first = bring((SHARED / name).read_bytes()).version
    for wanted in FORMATS:
        second = bring(exported(first, wanted), dataset_name=wanted).version
        assert second.fingerprint == first.fingerprint, wanted
        assert said_of(second) == said_of(first), wanted


@pytest.mark.parametrize("wanted", FORMATS)
def test_a_class_map_and_pictures_alone_make_it(bring: Bring, wanted: str) -> None:
    """No other file is in it than the format names."""
    version = bring(odd_files()).version
    with zipfile.ZipFile(io.BytesIO(exported(version, wanted))) as archive:
        assert archive.testzip() is None
        tops = {name.split("/")[0] for name in archive.namelist()}
    expected = {
        "yolo": {"data.yaml", "images", "labels"},
        "coco": {"annotations", "images"},
        "voc": {"classes.txt", "ImageSets", "Annotations", "JPEGImages"},
    }
    assert tops == expected[wanted]
