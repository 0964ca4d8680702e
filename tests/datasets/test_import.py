"""Importing a ZIP: what becomes of it, what is left out, and that nothing is half done."""

import hashlib
import io
import stat
import zipfile
from functools import partial
from pathlib import Path

import pytest

from accounts.models import User
from datasets import services
from datasets.boxes import MAX_BOXES
from datasets.materialize import materialize
from datasets.models import Dataset, DatasetImage, DatasetVersion, Import, Picture
from jobs.errors import UserError, describe
from jobs.states import Status
from projects.models import Project
from storage.archive_checks import ArchiveLimits
from tests.datasets.importing import (
    Bring,
    distinct_jpeg,
    import_zip,
    labelled_files,
    labelled_zip,
    stored_files,
    warnings_of,
)
from tests.datasets.said import assert_said
from tests.datasets.samples import encoded, picture, png_claiming, turned_away, with_orientation
from tests.storage.zips import (
    Content,
    encrypted,
    many_files,
    special_entry,
    zip_of,
    zip_of_pairs,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_version_holds_every_picture_with_its_boxes_and_is_ready(bring: Bring) -> None:
    job = bring(labelled_zip(10))

    version = job.version
    assert job.status == Status.SUCCEEDED, job.error
    assert version.status == DatasetVersion.Status.READY
    assert (version.train_images, version.val_images, version.boxes) == (8, 2, 10)
    assert [(c.index, c.name, c.boxes, c.images) for c in version.classes.all()] == [
        (0, "lớp 0", 5, 5),
        (1, "lớp 1", 5, 5),
    ]
    assert len(version.fingerprint) == 64
    assert job.progress["phase"] == "finish"


def test_the_upload_is_gone_when_it_is_imported(bring: Bring) -> None:
    before = stored_files()
    bring(labelled_zip(4))
    assert not {name for name in stored_files() - before if name.endswith(".zip")}


def test_the_same_content_gives_the_same_fingerprint_and_no_second_file(bring: Bring) -> None:
    first = bring(labelled_zip(6))
    files = stored_files()
    second = bring(labelled_zip(6), dataset=first.version.dataset)

    assert second.version.number == 2
    assert second.version.fingerprint == first.version.fingerprint
    assert stored_files() == files
    assert Picture.objects.count() == 6


def test_a_byte_identical_picture_is_kept_once_with_the_boxes_of_all(bring: Bring) -> None:
    files = labelled_files(4)
    files["images/bản sao.jpg"] = files["images/ảnh 0.jpg"]
    files["labels/bản sao.txt"] = "1 0.1 0.1 0.1 0.1\n"

    job = bring(files)

    assert job.version.images_total == 4
    assert warnings_of(job)["picture_twice"] == 1
    image = DatasetImage.objects.get(version=job.version, file_name="ảnh 0.jpg")
    assert {int(row[0]) for row in image.boxes} == {0, 1}
    assert job.version.boxes == 5


def test_a_picture_with_its_twins_has_no_more_boxes_than_one_may_have(bring: Bring) -> None:
    files = labelled_files(3)
    for number, name in enumerate(("ảnh 0", "bản sao")):
        files[f"images/{name}.jpg"] = files["images/ảnh 0.jpg"]
        lines = (f"0 {0.1 + i % 100 / 200} {0.1 + i // 100 / 200} 0.1 {0.1 + number / 50}"
                 for i in range(6000))  # fmt: skip
        files[f"labels/{name}.txt"] = "\n".join(lines)

    job = bring(files)

    image = DatasetImage.objects.get(version=job.version, file_name="ảnh 0.jpg")
    assert len(image.boxes) == len(set(map(tuple, image.boxes))) == MAX_BOXES
    assert warnings_of(job)["too_many_boxes"] == 2000
    assert job.version.boxes == MAX_BOXES + 2


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pictures_are_turned_upright_and_their_boxes_with_them(
    bring: Bring, orientation: int
) -> None:
    files = labelled_files(3)
    upright = picture((120, 80))
    files["images/điện thoại.jpg"] = with_orientation(
        turned_away(upright, orientation), orientation
    )
    # The label is of the pixels as they are stored.
    from datasets.boxes import Box, turned

    back = {1: 1, 3: 3, 6: 8, 8: 6}[orientation]
    box = turned(Box(0, 0.1, 0.2, 0.4, 0.3), back)
    centre = ((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2, box.x2 - box.x1, box.y2 - box.y1)
    files["labels/điện thoại.txt"] = "0 " + " ".join(f"{v:.6f}" for v in centre) + "\n"

    job = bring(files)

    image = DatasetImage.objects.select_related("picture").get(file_name="điện thoại.jpg")
    assert (image.picture.width, image.picture.height) == (120, 80)
    assert image.boxes == [[0, *(pytest.approx(v, abs=0.1) for v in (12, 16, 48, 24))]]
    assert ("picture_turned" in warnings_of(job)) == (orientation != 1)


def test_splits_of_the_zip_are_kept_unless_they_are_not_wanted(bring: Bring) -> None:
    files: dict[str, Content] = {"data.yaml": "names: [a]\n"}
    for number in range(10):
        split = "train" if number < 5 else "valid"
        files[f"{split}/images/{number}.jpg"] = distinct_jpeg(number)
        files[f"{split}/labels/{number}.txt"] = "0 0.5 0.5 0.2 0.2\n"

    kept = bring(files).version
    anew = bring(files, dataset_name="anew", keep_splits=False).version

    assert (kept.train_images, kept.val_images) == (5, 5)
    assert (anew.train_images, anew.val_images) == (8, 2)


def test_an_empty_validation_set_is_filled(bring: Bring) -> None:
    files: dict[str, Content] = {"data.yaml": "names: [a]\nval: valid/images\n"}
    for number in range(6):
        files[f"train/images/{number}.jpg"] = distinct_jpeg(number)
        files[f"train/labels/{number}.txt"] = "0 0.5 0.5 0.2 0.2\n"

    job = bring(files)

    assert job.version.val_images >= 1
    assert "splits_made_anew" in warnings_of(job)


def test_one_class_and_empty_labels_are_fine(bring: Bring) -> None:
    files = labelled_files(6, classes=1)
    files["labels/ảnh 5.txt"] = ""

    job = bring(files)

    assert job.status == Status.SUCCEEDED
    assert job.version.images_total == 6
    assert job.version.boxes == 5


def test_names_that_differ_by_case_or_by_composition_are_different_files(bring: Bring) -> None:
    files: dict[str, Content] = {"data.yaml": "names: [a]\n"}
    for number, name in enumerate(("Ảnh", "ảnh", "A\u0309nh 2", "khác")):
        files[f"images/{name}.jpg"] = distinct_jpeg(number)
        files[f"labels/{name}.txt"] = "0 0.5 0.5 0.2 0.2\n"

    job = bring(files)

    names = set(DatasetImage.objects.values_list("file_name", flat=True))
    assert job.version.images_total == 4
    assert names == {"Ảnh.jpg", "ảnh.jpg", "Ảnh 2.jpg", "khác.jpg"}


BAD_LABELS = {
    "class_out_of_range": "7 0.5 0.5 0.2 0.2",
    "label_not_a_number": "0 nan 0.5 0.2 0.2",
    "box_outside": "0 1.9 1.9 0.2 0.2",
    "label_in_pixels": "0 320 240 50 50",
    "label_field_count": "0 0.5 0.5",
    "box_without_area": "0 0.5 0.5 0 0.2",
}


@pytest.mark.parametrize(("code", "line"), BAD_LABELS.items())
def test_a_bad_label_is_left_out_and_counted(bring: Bring, code: str, line: str) -> None:
    files = labelled_files(4)
    files["labels/ảnh 0.txt"] = f"1 0.5 0.5 0.3 0.3\n{line}\n"

    job = bring(files)

    assert job.status == Status.SUCCEEDED, job.error
    assert warnings_of(job)[code] == 1
    assert job.version.boxes == 4
    assert_each_warning_is_said(job)


def test_polygons_become_boxes(bring: Bring) -> None:
    files = labelled_files(4)
    files["labels/ảnh 0.txt"] = "1 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6\n"

    job = bring(files)

    image = DatasetImage.objects.select_related("picture").get(file_name="ảnh 0.jpg")
    width, height = image.picture.width, image.picture.height
    wanted = [0.1 * width, 0.1 * height, 0.5 * width, 0.6 * height]
    assert image.boxes == [[1, *(pytest.approx(value, abs=0.02) for value in wanted)]]
    assert warnings_of(job)["polygon_boxed"] == 1


BAD_PICTURES = {
    "picture_unreadable": b"this is a text",
    "picture_too_large": png_claiming(50_000, 50_000),
    "picture_truncated": distinct_jpeg(99)[:-50],
    "picture_animated": encoded(
        picture(), "PNG", save_all=True, append_images=[picture((120, 80)).rotate(90)]
    ),
}


@pytest.mark.parametrize(("code", "content"), BAD_PICTURES.items())
def test_a_bad_picture_is_left_out_and_counted(bring: Bring, code: str, content: bytes) -> None:
    files = labelled_files(4)
    files["images/xấu.png"] = content
    files["labels/xấu.txt"] = "0 0.5 0.5 0.2 0.2\n"

    job = bring(files)

    assert job.status == Status.SUCCEEDED, job.error
    assert job.version.images_total == 4
    assert warnings_of(job)[code] == 1
    assert_each_warning_is_said(job)


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGBA", "I;16"])
def test_unusual_pixels_are_brought_to_eight_bits(bring: Bring, mode: str) -> None:
    files = labelled_files(3)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    image = picture().convert("I").convert("I;16") if mode == "I;16" else picture(mode=mode)
    files[f"images/lạ.{kind.lower()}"] = encoded(image, kind)
    files["labels/lạ.txt"] = "0 0.5 0.5 0.2 0.2\n"

    job = bring(files)

    assert job.version.images_total == 4, job.version.warnings


def assert_each_warning_is_said(job: Import) -> None:
    """As a version's page and the API say them: with the count among the values."""
    for row in job.version.warnings:
        assert_said(row["code"], {**row.get("params", {}), "count": row["count"]})


def _without(files: dict[str, Content], *words: str) -> dict[str, Content]:
    return {name: text for name, text in files.items() if not any(w in name for w in words)}


GOOD = labelled_files(4)
REFUSED: dict[str, tuple[bytes, str]] = {
    "not a ZIP": (b"hello, this is a text file" * 10, "archive_not_zip"),
    "empty": (b"", "archive_empty_file"),
    "a ZIP of nothing": (zip_of({}), "archive_without_files"),
    "encrypted": (encrypted(zip_of(GOOD)), "archive_encrypted"),
    "truncated": (zip_of(GOOD)[:-100], "archive_truncated"),
    "path traversal": (zip_of({**GOOD, "../../x.jpg": b"x"}), "archive_unsafe_name"),
    "absolute path": (zip_of({**GOOD, "/etc/passwd": b"x"}), "archive_unsafe_name"),
    "symlink": (
        zip_of_pairs([*GOOD.items(), (special_entry("l.jpg", stat.S_IFLNK), "/etc/passwd")]),
        "archive_special_file",
    ),
    "device": (
        zip_of_pairs([*GOOD.items(), (special_entry("d.jpg", stat.S_IFCHR), b"")]),
        "archive_special_file",
    ),
    "bomb": (zip_of({**GOOD, "images/bomb.jpg": b"\0" * 50_000_000}), "archive_bomb"),
    "nested only": (zip_of({"a.zip": zip_of(GOOD)}), "archive_only_archives"),
    "yaml with download": (
        zip_of({**GOOD, "data.yaml": "names: [a]\ndownload: |\n  import os\n"}),
        "data_yaml_not_allowed",
    ),
    "yaml with a python tag": (
        zip_of({**GOOD, "data.yaml": "names: !!python/object/apply:os.system ['touch /tmp/x']\n"}),
        "data_yaml_not_allowed",
    ),
    "yaml that swells": (
        zip_of({**GOOD, "data.yaml": "a: &a [x,x]\nb: &b [*a,*a]\nnames: [*b,*b]\n"}),
        "data_yaml_not_allowed",
    ),
    "no labels": (zip_of(_without(GOOD, "labels/")), "no_labels"),
    "no pictures": (zip_of(_without(GOOD, "images/")), "no_pictures"),
    "one picture": (zip_of(labelled_files(1)), "too_few_pictures"),
    "no usable label": (
        zip_of({n: ("9 9 9 9 9" if "labels/" in n else t) for n, t in GOOD.items()}),
        "no_boxes",
    ),
    "no usable picture": (
        zip_of({n: (b"text" if "images/" in n else t) for n, t in GOOD.items()}),
        "no_picture_usable",
    ),
    "too many entries": (
        many_files((f"{n}.txt", b"") for n in range(250_001)),
        "archive_too_many_entries",
    ),
    "200,000 entries of nothing": (
        many_files((f"{n}.txt", b"") for n in range(200_000)),
        "no_pictures",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_imported_says_why_and_leaves_nothing(bring: Bring, case: str) -> None:
    content, code = REFUSED[case]
    before = stored_files()

    job = bring(content)

    assert job.status == Status.FAILED
    assert job.error is not None
    assert job.error["code"] == code
    assert_said(code, job.error["params"])
    assert describe(code)[1], "there is nothing to do"
    assert job.version.status == DatasetVersion.Status.FAILED
    assert not DatasetImage.objects.exists()
    assert not Picture.objects.exists()
    assert stored_files() == before


def test_a_zip_that_unpacks_to_more_than_is_allowed_is_refused(
    bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of honest files that hardly pack: no bomb, only too much.
    with zipfile.ZipFile(io.BytesIO(zip_of(GOOD))) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    before = stored_files()

    def at_most(total: int) -> None:
        limits = partial(ArchiveLimits, total_bytes=total)
        monkeypatch.setattr("storage.archives.ArchiveLimits", limits)

    at_most(size - 1)
    job = bring(zip_of(GOOD))

    assert (job.status, job.version.status) == (Status.FAILED, DatasetVersion.Status.FAILED)
    assert job.error is not None and job.error["code"] == "archive_too_large"
    assert set(job.error["params"]) == {"gigabytes", "limit"}
    assert_said("archive_too_large", job.error["params"])
    assert not Picture.objects.exists()
    assert stored_files() == before

    at_most(size)
    again = bring(zip_of(GOOD), dataset_name="enough")
    assert again.status == Status.SUCCEEDED, again.error


def test_an_import_into_a_dataset_of_another_project_is_refused(
    project: Project, owner: User
) -> None:
    foreign = Dataset.objects.create(project=Project.objects.create(name="other"), name="x")
    with pytest.raises(UserError, match="dataset_foreign"):
        import_zip(project, owner, labelled_zip(2), dataset=foreign)
    assert not Import.objects.exists()


def test_a_taken_name_is_refused_and_nothing_stays(bring: Bring) -> None:
    bring(labelled_zip(3))
    before = stored_files()
    with pytest.raises(UserError, match="dataset_name_taken"):
        bring(labelled_zip(3))
    assert stored_files() == before


def test_resplitting_makes_a_new_version_and_leaves_the_old_one_alone(bring: Bring) -> None:
    version = bring(labelled_zip(20)).version
    sides = dict(version.images.values_list("picture_id", "split"))

    made = services.resplit_version(version=version, split_ratio=0.4, split_seed=7)

    version.refresh_from_db()
    assert dict(version.images.values_list("picture_id", "split")) == sides
    assert (made.number, made.status, made.val_images) == (2, DatasetVersion.Status.READY, 8)
    assert made.fingerprint != version.fingerprint
    assert set(made.images.values_list("picture_id", flat=True)) == set(sides)


def test_the_trainer_gets_only_verified_pictures_and_labels_of_ours(
    bring: Bring, tmp_path: Path
) -> None:
    files = labelled_files(6)
    for trap in ("labels.cache", "labels/train.cache", "images/ảnh 0.npy", "images/train.cache"):
        files[trap] = b"\x80\x04cos\nsystem\n."
    version = bring(files).version

    names = materialize(version, tmp_path)

    assert names == ["lớp 0", "lớp 1"]
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert len(found) == 12
    assert {Path(name).suffix for name in found} == {".jpg", ".txt"}
    for label in (tmp_path / "labels").rglob("*.txt"):
        index, *box = label.read_text().split()
        assert int(index) in {0, 1}
        assert all(0 <= float(value) <= 1 for value in box)


def test_deleting_a_dataset_removes_its_pictures(bring: Bring) -> None:
    before = stored_files()
    dataset = bring(labelled_zip(3)).version.dataset

    services.delete_dataset(dataset=dataset)

    assert not Picture.objects.exists()
    assert stored_files() == before


def test_pictures_lose_their_metadata(bring: Bring) -> None:
    files = labelled_files(3)
    files["images/gps.jpg"] = with_orientation(picture(), 1)
    files["labels/gps.txt"] = "0 0.5 0.5 0.2 0.2\n"
    bring(files)

    sha256 = hashlib.sha256(files["images/gps.jpg"]).hexdigest()  # type: ignore[arg-type]
    stored = Picture.objects.get(sha256=sha256)
    with stored.file.open("rb") as file:
        assert b"Exif" not in file.read()
