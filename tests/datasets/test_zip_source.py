"""ZIP archives as a source of an import: real ones, odd ones, hostile ones."""

import io
import os
import stat
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import psutil
import pytest

from datasets.picture_pool import PicturePool
from datasets.pictures import PreparedPicture
from datasets.sources.base import LabelState, Source
from datasets.sources.zip import ZipSource
from jobs.errors import CancelRequested, UserError, describe
from tests.datasets import samples
from tests.datasets.trees import BOX
from tests.storage import zips

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "datasets"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="The real data sets are not there.")
GOOD = {"images/a.jpg": samples.jpeg(), "labels/a.txt": BOX, "data.yaml": "names: [can]\n"}


def opened(data: bytes) -> ZipSource:
    return ZipSource(io.BytesIO(data))


def refusal(data: bytes) -> UserError:
    with pytest.raises(UserError) as caught:
        opened(data)
    return caught.value


class TestReading:
    def test_pictures_come_with_their_boxes_and_bytes(self) -> None:
        with opened(zips.zip_of(GOOD)) as source:
            [record] = source.records()
            assert source.read_picture(record) == GOOD["images/a.jpg"]
        assert (record.file_name, record.split, record.state) == ("a.jpg", None, "labelled")
        assert record.boxes == (pytest.approx((0, 0.4, 0.4, 0.6, 0.6)),)
        assert (source.classes, source.total) == (("can",), 1)

    def test_it_is_what_an_import_takes(self) -> None:
        source: Source = opened(zips.zip_of(GOOD))
        assert [r.key for r in source.records()] == [r.key for r in source.records()]

    def test_composed_and_decomposed_names_belong_together(self) -> None:
        files = {"images/Việt.jpg": b"x", unicodedata.normalize("NFD", "labels/Việt.txt"): BOX}
        [record] = opened(zips.zip_of(files)).records()
        assert (record.file_name, record.state) == ("Việt.jpg", LabelState.LABELLED)

    def test_names_in_gbk_belong_together(self) -> None:
        names = ["图片/标签.jpg".encode("gbk"), "图片/标签.txt".encode("gbk")]
        [record] = opened(zips.raw_names(names, content=BOX.encode())).records()
        assert (record.file_name, record.state) == ("标签.jpg", LabelState.LABELLED)

    def test_twins_of_macos_are_passed_over(self) -> None:
        twins = {f"__MACOSX/{path.replace('/', '/._')}": b"\0\5\x16\7" for path in GOOD}
        source = opened(zips.zip_of({**GOOD, **twins, "images/.DS_Store": b""}))
        assert source.total == 1
        assert source.problems.rows() == []

    def test_archives_inside_are_reported(self) -> None:
        source = opened(zips.zip_of({**GOOD, "old.zip": b"PK"}))
        assert source.problems.rows() == [
            {"code": "nested_archive", "count": 1, "examples": ["old.zip"]}
        ]

    def test_a_damaged_label_costs_only_itself(self) -> None:
        files = {**GOOD, "images/b.jpg": b"x", "labels/b.txt": "0 0.11 0.11 0.1 0.1"}
        data = zips.zip_of(files, method=zipfile.ZIP_STORED).replace(b"0.11 0.11", b"0.12 0.11")
        source = opened(data)
        states = [record.state for record in source.records()]
        assert states == [LabelState.LABELLED, LabelState.UNLABELLED]
        assert source.problems.count("label_file_unreadable") == 1

    def test_a_damaged_yaml_of_something_else_costs_nothing(self) -> None:
        files = {"a.jpg": b"x", "a.txt": BOX, "classes.txt": "keg", "notes.yaml": "names: [can]"}
        data = zips.zip_of(files, method=zipfile.ZIP_STORED).replace(b"[can]", b"[cat]")
        assert opened(data).classes == ("keg",)

    def test_whoever_cancels_is_heard_before_each_file(self) -> None:
        read = 0

        def cancel() -> None:
            nonlocal read
            read += 1
            if read > 2:
                raise CancelRequested

        lists = {f"{i}/train.txt": "a.jpg" for i in range(9)}
        with pytest.raises(CancelRequested):
            ZipSource(io.BytesIO(zips.zip_of({**GOOD, **lists})), before_read=cancel)
        assert read == 3

    def test_a_damaged_picture_costs_only_itself(self) -> None:
        files = {**GOOD, "images/b.jpg": b"picture", "labels/b.txt": BOX}
        data = zips.zip_of(files, method=zipfile.ZIP_STORED).replace(b"picture", b"p1cture")
        source = opened(data)
        first, second = source.records()
        assert source.read_picture(first)
        with pytest.raises(UserError) as caught:
            source.read_picture(second)
        assert caught.value.code == "archive_member_damaged"

    def test_memory_does_not_grow_with_the_archive(self, tmp_path: Path) -> None:
        path, picture = tmp_path / "big.zip", os.urandom(4 * 1024 * 1024)
        with zipfile.ZipFile(path, "w") as archive:
            for i in range(64):
                archive.writestr(f"images/{i}.jpg", picture)
                archive.writestr(f"labels/{i}.txt", BOX)
        before = psutil.Process().memory_info().rss
        with ZipSource(path) as source:
            sizes = {len(source.read_picture(record)) for record in source.records()}
            grown = psutil.Process().memory_info().rss - before
        assert sizes == {len(picture)}
        assert grown < 60 * 1024 * 1024


class TestRefused:
    """Each with a sentence that says what happened and one that says what to do."""

    CASES = {
        "archive_empty_file": b"",
        "archive_not_zip": b"hello",
        "archive_without_files": zips.zip_of({}),
        "archive_truncated": zips.zip_of(GOOD)[:-200],
        "archive_encrypted": zips.encrypted(zips.zip_of(GOOD)),
        "archive_unsafe_name": zips.zip_of({**GOOD, "../evil.jpg": b"x"}),
        "archive_special_file": zips.zip_of_pairs(
            [*GOOD.items(), (zips.special_entry("images/b.jpg", stat.S_IFLNK), b"/etc/passwd")]
        ),
        "archive_bomb": zips.zip_of({**GOOD, "b.bmp": bytes(64 * 1024 * 1024)}),
        "archive_only_archives": zips.zip_of({"inner.zip": zips.zip_of(GOOD)}),
        "no_pictures": zips.zip_of({"labels/a.txt": BOX}),
        "no_labels": zips.zip_of({"images/a.jpg": b"x"}),
        "layout_unknown": zips.zip_of({"images/a.jpg": b"x", "a.xml": "<page/>"}),
        "data_yaml_not_allowed": zips.zip_of({**GOOD, "data.yaml": "names: [a]\ndownload: x"}),
    }

    @pytest.mark.parametrize("code", CASES)
    def test_with_words_for_people(self, code: str) -> None:
        error = refusal(self.CASES[code])
        assert error.code == code
        assert error.message and error.hint
        assert "{" not in error.message + error.hint
        assert "–" not in error.message + error.hint

    def test_nothing_stays_open(self, tmp_path: Path) -> None:
        path = tmp_path / "a.zip"
        path.write_bytes(zips.zip_of({"images/a.jpg": b"x"}))
        with pytest.raises(UserError):
            ZipSource(path)
        assert not [f for f in psutil.Process().open_files() if f.path == str(path)]


@needs_data
class TestRealArchives:
    """Sets as people publish them; see the notes beside them."""

    @pytest.mark.parametrize(
        ("name", "pictures", "boxes", "classes"),
        [
            ("bccd/bccd-yolo.zip", {"train": 205, "val": 87, "test": 72}, 4886, 3),
            ("retail/vn-beer-display-yolo.zip", {"train": 186, "val": 12}, 2870, 15),
            ("wild/01-flat-no-yaml.zip", {None: 40}, 44, 1),
            ("wild/02-class-ids-out-of-range.zip", {"train": 20, "val": 12, "test": 8}, 39, 3),
            ("wild/03-chinese-folders.zip", {"train": 22, "val": 9, "test": 9}, 82, 2),
            ("wild/04-roboflow-seg.zip", {"train": 146, "val": 42, "test": 21}, 225, 2),
            ("wild/05-roboflow-train-only.zip", {"train": 12}, 16, 9),
            ("wild/07-raccoon-voc.zip", {None: 40}, 51, 1),
            ("bccd/bccd-coco.zip", {"train": 205, "val": 87, "test": 72}, 4886, 3),
            ("bccd/bccd-voc.zip", {"train": 205, "val": 87, "test": 72}, 4886, 3),
        ],
    )
    def test_are_understood(
        self, name: str, pictures: dict[str | None, int], boxes: int, classes: int
    ) -> None:
        with ZipSource(DATA / name) as source:
            records = list(source.records())
        assert Counter(record.split for record in records) == pictures
        assert sum(len(record.boxes) for record in records) == boxes
        assert len(source.classes) == classes == len(set(source.classes))
        for row in source.problems.rows():
            message, _ = describe(row["code"], {"count": row["count"]})
            assert message != describe("internal")[0] and "{" not in message

    def test_nothing_is_lost_without_a_word(self) -> None:
        with ZipSource(DATA / "wild/02-class-ids-out-of-range.zip") as source:
            boxes = sum(len(record.boxes) for record in source.records())
        assert boxes + source.problems.count("class_out_of_range") == 61

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("wild/06-git-lfs-pointer.zip", "archive_lfs_pointer"),
        ],
    )
    def test_are_refused_with_a_reason(self, name: str, code: str) -> None:
        with pytest.raises(UserError) as caught:
            ZipSource(DATA / name)
        assert caught.value.code == code

    @pytest.mark.parametrize("name", ["wild/01-flat-no-yaml.zip", "wild/04-roboflow-seg.zip"])
    def test_their_pictures_can_all_be_prepared(self, name: str) -> None:
        with ZipSource(DATA / name) as source, PicturePool(processes=2) as pool:
            pictures = ((r.key, source.read_picture(r)) for r in source.records())
            found = [result for _, result in pool.prepare(pictures)]
        assert len(found) == source.total
        assert all(isinstance(result, PreparedPicture) for result in found)
