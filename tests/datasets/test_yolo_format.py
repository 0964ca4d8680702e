"""The YOLO layout as people have it: folders, splits, names of classes."""

import sys
import time
import tracemalloc
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.sources.base import LabelState
from jobs.errors import UserError
from tests.datasets.trees import BOX, Understood

NAMES = "names: [can, bottle]\n"


_SPAWNING = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"}
_spawned: list[str] = []


@pytest.fixture(scope="module")
def _watched() -> None:
    """Hear of every process that Python starts; a hook stays for good, so there is one."""
    sys.addaudithook(lambda event, _: _spawned.append(event) if event in _SPAWNING else None)


@pytest.fixture
def spawned(_watched: None) -> list[str]:
    """The processes that this test started."""
    _spawned.clear()
    return _spawned


def refusal(files: Mapping[str, str | bytes]) -> UserError:
    with pytest.raises(UserError) as caught:
        Understood(files)
    return caught.value


class TestFolders:
    @pytest.mark.parametrize(
        ("picture", "label"),
        [
            ("a.jpg", "a.txt"),
            ("data/a.jpg", "data/a.txt"),
            ("images/a.jpg", "labels/a.txt"),
            ("images/train/a.jpg", "labels/train/a.txt"),
            ("train/images/a.jpg", "train/labels/a.txt"),
            ("my set/my set/images/a.jpg", "my set/my set/labels/a.txt"),
            ("obj_train_data/a.jpg", "obj_train_data/a.txt"),
            ("images/a.jpg", "lables/a.txt"),
            ("JPEGImages/a.JPG", "Label/a.txt"),
            ("Images/sub/a.jpeg", "Labels/sub/a.TXT"),
            ("photos of may/a.jpg", "my annotations for yolo/a.txt"),
            ("images/train/a.jpg", "labels/a.txt"),
            ("ảnh/Bia Việt (1).webp", "ảnh/Bia Việt (1).txt"),
            ("images/IMG_1.JPG", "labels/img_1.txt"),
            ("images/a.b.c.jpg", "labels/a.b.c.txt"),
        ],
    )
    def test_a_label_finds_its_picture(self, picture: str, label: str) -> None:
        found = Understood({picture: "", label: BOX, "classes.txt": "can"})
        assert found.records[picture].state == LabelState.LABELLED
        assert len(found.records[picture].boxes) == 1

    def test_the_nearest_of_two_labels_is_taken_and_the_other_reported(self) -> None:
        other = "1 0.5 0.5 0.1 0.1\n"
        found = Understood({"images/a.jpg": "", "images/a.txt": BOX, "labels/a.txt": other,
                            "data.yaml": NAMES})  # fmt: skip
        assert found.records["images/a.jpg"].boxes[0].class_index == 0
        assert found.problems["label_without_picture"] == 1

    @pytest.mark.parametrize("order", [1, -1])
    def test_names_that_differ_by_case_keep_their_own_labels(self, order: int) -> None:
        files = {"A.jpg": "", "a.jpg": "", "A.txt": "0 0.1 0.1 0.1 0.1",
                 "a.txt": "1 0.5 0.5 0.1 0.1", "data.yaml": NAMES}  # fmt: skip
        found = Understood(dict(list(files.items())[::order]))
        assert [found.records[k].boxes[0].class_index for k in ("A.jpg", "a.jpg")] == [0, 1]

    @pytest.mark.parametrize("folder", ["", "set/"])
    def test_a_label_of_other_case_is_not_taken_from_the_picture_that_it_fits(
        self, folder: str
    ) -> None:
        pictures = [f"images/{folder}{name}.jpg" for name in ("A", "a")]
        found = Understood({**dict.fromkeys(pictures, ""), f"labels/{folder}a.txt": BOX})
        assert [found.records[path].state for path in pictures] == [
            LabelState.UNLABELLED, LabelState.LABELLED,
        ]  # fmt: skip

    def test_a_label_that_fits_two_pictures_but_for_case_is_given_to_neither(self) -> None:
        found = Understood({"images/AB.jpg": "", "images/ab.jpg": "", "labels/Ab.txt": BOX,
                            "images/c.jpg": "", "labels/c.txt": BOX})  # fmt: skip
        assert [r.state for r in found.records.values()] == [
            LabelState.UNLABELLED, LabelState.UNLABELLED, LabelState.LABELLED,
        ]  # fmt: skip
        assert found.examples("label_without_picture") == ["labels/Ab.txt"]

    def test_folders_may_differ_by_case(self) -> None:
        found = Understood({"Train/Images/a.jpg": "", "train/labels/a.txt": BOX})
        assert found.records["Train/Images/a.jpg"].state == LabelState.LABELLED

    def test_equal_names_in_two_splits_keep_their_own_labels(self) -> None:
        found = Understood({
            "train/images/1.jpg": "", "train/labels/1.txt": "0 0.5 0.5 0.1 0.1",
            "val/images/1.jpg": "", "val/labels/1.txt": "1 0.5 0.5 0.1 0.1", "data.yaml": NAMES,
        })  # fmt: skip
        assert [r.boxes[0].class_index for r in found.records.values()] == [0, 1]

    def test_a_picture_without_a_label_is_unlabelled_and_an_empty_label_is_background(self) -> None:
        found = Understood({"a.jpg": "", "a.txt": BOX, "b.jpg": "", "b.txt": " \n\n", "c.jpg": ""})
        assert [record.state for record in found.records.values()] == [
            LabelState.LABELLED, LabelState.BACKGROUND, LabelState.UNLABELLED,
        ]  # fmt: skip

    def test_labels_without_pictures_are_listed_but_read_me_files_are_not(self) -> None:
        found = Understood({
            "images/a.jpg": "", "labels/a.txt": BOX, "labels/b.txt": BOX,
            "labels/classes.txt": "can", "labels/README.roboflow.txt": "hello",
        })  # fmt: skip
        assert found.examples("label_without_picture") == ["labels/b.txt"]

    def test_pictures_of_other_formats_are_listed(self) -> None:
        found = Understood({"a.jpg": "", "a.txt": BOX, "b.gif": "", "c.heic": ""})
        assert found.problems["picture_format"] == 2
        assert set(found.records) == {"a.jpg"}

    def test_traps_among_the_files_are_never_read(self) -> None:
        poison = {"labels/train.cache": b"\x80\x04pickle", "images/a.npy": b"\x93NUMPY"}
        found = Understood({"images/a.jpg": "", "labels/a.txt": BOX, **poison})
        assert set(found.records) == {"images/a.jpg"}

    def test_file_names_are_fit_to_be_shown(self) -> None:
        path = "images/\u202eevil\x07 name.jpg"
        found = Understood({path: "", path.replace("images", "labels")[:-3] + "txt": BOX})
        assert found.records[path].file_name == "evil name.jpg"

    def test_what_was_understood_can_be_shown(self) -> None:
        found = Understood({"w/train/images/a.jpg": "", "w/train/labels/a.txt": BOX,
                            "w/valid/images/b.jpg": "", "w/data.yaml": NAMES})  # fmt: skip
        assert found.dataset.layout == {
            "format": "yolo", "pictures": 2, "labels": 1, "splits": {"train": 1, "val": 1},
            "classes": 2, "names_from": "w/data.yaml",
        }  # fmt: skip


class TestSplits:
    def understood(self, yaml: str = NAMES, *folders: str, **more: str) -> Understood:
        files = {f"{folder}/{i}.jpg": "" for i, folder in enumerate(folders)}
        labels = {f"{folder}/{i}.txt": BOX for i, folder in enumerate(folders)}
        return Understood({**files, **labels, "data.yaml": yaml, **more})

    @pytest.mark.parametrize(
        ("folder", "split"),
        [("train", "train"), ("Training", "train"), ("train2017", "train"), ("val", "val"),
         ("valid", "val"), ("validation", "val"), ("test", "test"), ("images/test", "test"),
         ("test/images", "test"), ("test/images/train", "train"), ("shop", None),
         ("trainer", None)],
    )  # fmt: skip
    def test_folders_say_the_split(self, folder: str, split: str | None) -> None:
        assert list(self.understood(NAMES, folder).splits.values()) == [split]

    @pytest.mark.parametrize(
        "written",
        ["a1/images", "./a1/images", "../a1/images", "../../x/a1/images", "/content/d/a1/images",
         "C:\\Users\\Lan\\a1\\images", "/Users/lan/Desktop/set/a1/images/", "a1"],
    )  # fmt: skip
    def test_wrong_paths_in_the_yaml_still_name_their_folders(self, written: str) -> None:
        yaml = NAMES + f"train: '{written}'\nval: b2/images\n"
        found = self.understood(yaml, "a1/images", "b2/images")
        assert list(found.splits.values()) == ["train", "val"]
        assert "split_folder_missing" not in found.problems

    def test_the_path_of_the_yaml_is_part_of_its_folders(self) -> None:
        yaml = NAMES + "path: sets\ntrain: a1\nval: b2\n"
        assert list(self.understood(yaml, "sets/a1", "sets/b2").splits.values()) == ["train", "val"]

    def test_the_yaml_has_more_weight_than_names(self) -> None:
        yaml = NAMES + "train: images/train\nval: images/test\n"
        found = self.understood(yaml, "images/train", "images/test")
        assert list(found.splits.values()) == ["train", "val"]

    def test_folders_that_are_missing_are_reported(self) -> None:
        yaml = NAMES + "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
        found = self.understood(yaml, "train/images")
        assert list(found.splits.values()) == ["train"]
        assert found.problems["split_folder_missing"] == 2

    def test_one_folder_for_training_and_validation_is_no_split(self) -> None:
        found = self.understood(NAMES + "train: images\nval: images\n", "images", "images")
        assert list(found.splits.values()) == [None, None]
        assert found.problems["splits_share_folder"] == 1

    def test_lists_of_folders(self) -> None:
        found = self.understood(NAMES + "train: [a, b]\nval: [c]\n", "a", "b", "c")
        assert list(found.splits.values()) == ["train", "train", "val"]

    def test_lists_of_pictures(self) -> None:
        found = self.understood(
            NAMES + "train: ./train.txt\nval: my.txt\n", "images", "images", "images",
            **{"train.txt": "./images/0.jpg\n/root/d/images/1.jpg\n", "my.txt": "2.jpg\nno.jpg"},
        )  # fmt: skip
        assert list(found.splits.values()) == ["train", "train", "val"]

    def test_lists_as_darknet_has_them(self) -> None:
        found = Understood({
            "obj.data": "classes = 1", "obj.names": "can", "train.txt": "data/obj_train_data/0.jpg",
            "valid.txt": "data/obj_train_data/1.jpg", "obj_train_data/0.jpg": "",
            "obj_train_data/0.txt": BOX, "obj_train_data/1.jpg": "", "obj_train_data/1.txt": BOX,
        })  # fmt: skip
        assert list(found.splits.values()) == ["train", "val"]
        assert found.classes == ("can",)

    def test_of_equal_names_a_list_means_the_picture_in_the_folder_that_it_says(self) -> None:
        found = self.understood(
            NAMES, "a", "b/a", "b/c",
            **{"a/0.jpg": "", "b/a/0.jpg": "", "b/c/0.jpg": "", "c/0.jpg": "",
               "train.txt": "/x/b/c/0.jpg\nC:\\x\\a\\0.jpg", "val.txt": "./b/a/0.jpg\ny/c/0.jpg"},
        )  # fmt: skip
        places = ("b/c/0.jpg", "a/0.jpg", "b/a/0.jpg", "c/0.jpg")
        assert [found.splits[path] for path in places] == ["train", "train", "val", "val"]

    def test_the_label_of_a_picture_called_train_is_no_list(self) -> None:
        files = {f"images/{name}.jpg": "" for name in ("train", "val", "a")}
        labels = {path.replace("images", "labels")[:-3] + "txt": BOX for path in files}
        found = Understood({**files, **labels, "train.txt": "a.jpg"})
        assert found.splits["images/a.jpg"] == "train"
        assert found.splits["images/val.jpg"] is None
        # Once to count the classes, once as a label.
        assert found.tree.reads.count("labels/train.txt") == 2

    def test_a_list_is_read_once_however_often_it_is_named(self) -> None:
        yaml = NAMES + "train: [" + ",".join(["./train.txt"] * 100) + "]\n"
        found = self.understood(yaml, "images", **{"train.txt": "images/0.jpg"})
        assert found.splits == {"images/0.jpg": "train"}
        assert found.tree.reads.count("train.txt") == 1

    def test_lists_that_are_gigabytes_together_end_it(self) -> None:
        lists = {f"{i}/train.txt": b"x" * 12 * 1024 * 1024 for i in range(3)}
        assert refusal({"a.jpg": "", "a.txt": BOX, **lists}).code == "archive_member_too_large"


class TestMuchWork:
    """Small files that would keep a worker busy for hours, or take all its memory."""

    PICTURES = 20_000

    @pytest.fixture(autouse=True)
    def _quickly(self) -> Iterator[None]:
        start = time.process_time()
        yield
        assert time.process_time() - start < 10

    def pictures(self) -> dict[str, str]:
        """All of one name, each in a folder of its own."""
        return {"0/1.txt": BOX, **{f"{i}/1.jpg": "" for i in range(self.PICTURES)}}

    @pytest.mark.parametrize(
        "written", ["a/" * 120_000, "a/" * 51, "x" * 1001, "a/" * 120_000 + "b.txt"]
    )
    def test_an_endless_path_in_the_yaml_is_reported_as_missing(self, written: str) -> None:
        tracemalloc.start()
        try:
            found = Understood(
                {"a/a/1.jpg": "", "a/a/1.txt": BOX, "data.yaml": NAMES + f"train: {written}\n"}
            )
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert found.splits == {"a/a/1.jpg": None}
        assert found.problems["split_folder_missing"] == 1
        assert most < 50 * 1024 * 1024

    def test_an_endless_root_in_the_yaml_does_no_harm(self) -> None:
        yaml = NAMES + "path: " + "a/" * 100_000 + "\ntrain: [" + "b," * 100 + "c]\n"
        found = Understood({"c/1.jpg": "", "c/1.txt": BOX, "data.yaml": yaml})
        assert found.problems["split_folder_missing"] == 100

    def test_a_list_for_each_of_many_pictures(self) -> None:
        lists = {f"lists {i}/train.txt": "no.jpg" for i in range(self.PICTURES)}
        found = Understood({**self.pictures(), **lists})
        assert set(found.splits.values()) == {None}

    def test_a_list_of_many_pictures_of_one_name(self) -> None:
        found = Understood({**self.pictures(), "train.txt": "\n".join(self.pictures())})
        assert set(found.splits.values()) == {"train"}

    def test_many_paths_in_the_yaml_and_many_folders(self) -> None:
        yaml = NAMES + "train: [" + ",".join(["a/b/c/" * 15 + "x"] * 100) + "]\n"
        found = Understood({**self.pictures(), "data.yaml": yaml})
        assert found.problems["split_folder_missing"] == 100


class TestClasses:
    def understood(self, **files: str | bytes) -> Understood:
        named = {name.replace("_yaml", ".yaml").replace("_txt", ".txt"): text
                 for name, text in files.items()}  # fmt: skip
        return Understood({"images/a.jpg": "", "labels/a.txt": BOX, **named})

    @pytest.mark.parametrize(
        "yaml",
        [
            "names: [can, bottle]",
            "names:\n- can\n- bottle\n",
            "names: {0: can, 1: bottle}",
            "names:\n  0: can\n  1: bottle\n",
            "names:\n  '1': bottle\n  '0': can\n",
            "nc: 2\nnames: ['can', \"bottle\"]",
            "\ufeffnames: [can, bottle]",
            "names: [can, bottle]\ndownload:\n",
            "%YAML 1.1\n---\nnames: [can, bottle]\n...\n",
        ],
    )
    def test_names_as_a_list_or_by_number(self, yaml: str) -> None:
        assert self.understood(data_yaml=yaml).classes == ("can", "bottle")

    def test_names_stay_what_is_written(self) -> None:
        yaml = "names: [no, 'on', 7, 1.0, null, 0x10, '12', Bia Việt, ~]"
        assert self.understood(data_yaml=yaml).classes == (
            "no", "on", "7", "1.0", "null", "0x10", "12", "Bia Việt", "~",
        )  # fmt: skip

    def test_gaps_get_names_by_their_number(self) -> None:
        found = self.understood(data_yaml="names: {0: can, 3: keg}")
        assert found.classes == ("can", "class_1", "class_2", "keg")
        assert found.problems["class_renamed"] == 2

    @pytest.mark.parametrize("path", ["data.yml", "dataset.yaml", "w/data.yaml", "x/coco128.yaml"])
    def test_the_yaml_may_have_other_names_and_places(self, path: str) -> None:
        found = Understood({"images/a.jpg": "", "labels/a.txt": BOX, path: NAMES})
        assert found.classes == ("can", "bottle")

    def test_other_yaml_files_play_no_part(self) -> None:
        found = self.understood(hyp_yaml="lr0: !!python/object:x.y {}", data_yaml=NAMES)
        assert found.classes == ("can", "bottle")

    def test_a_large_yaml_of_something_else_plays_no_part(self) -> None:
        found = self.understood(notes_yaml=NAMES + "#" * 300_000, classes_txt="keg")
        assert found.classes == ("keg",)

    @pytest.mark.parametrize(
        "path", ["classes.txt", "labels/classes.txt", "obj.names", "train/_darknet.labels"]
    )
    def test_lists_of_names(self, path: str) -> None:
        found = Understood({"images/a.jpg": "", "labels/a.txt": BOX, path: "can\r\nbottle\r\n\r\n"})
        assert found.classes == ("can", "bottle")
        assert found.dataset.layout["names_from"] == path

    def test_lists_that_differ_are_reported(self) -> None:
        found = Understood(
            {"a.jpg": "", "a.txt": BOX, "classes.txt": "can", "x/classes.txt": "keg"}
        )
        assert found.classes == ("can",)
        assert found.examples("class_lists_differ") == ["x/classes.txt"]

    def test_without_names_classes_are_numbered_up_to_the_highest(self) -> None:
        found = Understood({"a.jpg": "", "a.txt": "2 0.5 0.5 0.1 0.1"})
        assert found.classes == ("class_0", "class_1", "class_2")
        assert found.problems["classes_without_names"] == 3

    def test_a_number_of_classes_without_names(self) -> None:
        assert self.understood(data_yaml="nc: 2").classes == ("class_0", "class_1")

    def test_a_number_that_differs_from_the_names_is_reported(self) -> None:
        found = self.understood(data_yaml="nc: 3\n" + NAMES)
        assert found.classes == ("can", "bottle")
        assert found.problems["class_count_differs"] == 1

    def test_double_names_are_numbered_and_case_is_reported(self) -> None:
        found = self.understood(data_yaml="names: [can, can, Can, can]")
        assert found.classes == ("can", "can (2)", "Can", "can (3)")
        assert found.problems["class_renamed"] == 2
        assert found.problems["class_names_by_case"] >= 1

    def test_decomposed_names_are_composed_without_a_word(self) -> None:
        found = self.understood(data_yaml="names: ['Bia Vie\u0323\u0302t']")
        assert found.classes == ("Bia Việt",)
        assert found.problems == {}

    def test_names_are_fit_to_be_shown(self) -> None:
        found = self.understood(classes_txt="\u202ecan\x07\n" + "x" * 300)
        assert found.classes == ("can", "x" * 100)

    def test_names_as_old_windows_writes_them(self) -> None:
        assert self.understood(classes_txt="Bia Vi\u1ec7t".encode("utf-16")).classes == (
            "Bia Việt",
        )

    @pytest.mark.parametrize(
        "yaml", ["names: 5", "names: [[a]]", "names: {a: b}", "names: {-1: a}"]
    )
    def test_names_that_are_none(self, yaml: str) -> None:
        files = {"a.jpg": "", "a.txt": BOX, "data.yaml": yaml}
        assert refusal(files).code == "data_yaml_names"

    @pytest.mark.parametrize("yaml", ["names: {999999: a}", "nc: 99999999999999999999"])
    def test_too_many_classes(self, yaml: str) -> None:
        files = {"a.jpg": "", "a.txt": BOX, "data.yaml": yaml}
        assert refusal(files).code == "too_many_classes"


class TestHostileYaml:
    """A data.yaml is data, or the import ends; nothing in it is ever run."""

    LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{n}: &{n} [*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p}]\n"
        for p, n in zip("abcdefgh", "bcdefghi", strict=True)
    )

    @pytest.mark.parametrize(
        ("yaml", "found"),
        [
            ("download: https://example.com/x.zip", "download"),
            ("download: |\n  import os\n  os.system('touch marker')", "download"),
            ("download: bash evil.sh", "download"),
            ("download: [1, 2]", "download"),
            ("x: !!python/object/apply:os.system ['touch marker']", "python"),
            ("x: !!python/name:os.system", "python"),
            ("x: !!python/object/new:subprocess.Popen [[touch, marker]]", "python"),
            ("x: !!python/module:os", "python"),
            ("x: !evil 5", "evil"),
            ("x: !!binary aGVsbG8=", "binary"),
            ("x: !!timestamp 2001-12-14", "timestamp"),
            ("a: &a 1\nx: *a", "*a"),
            ("a: &a {b: c}\nx: {<<: *a}", "*a"),
            (LAUGHS, "*a"),
            ("x: " + "[" * 5000 + "]" * 5000, "[[[…"),
            ("x: " + "{a: " * 500 + "1" + "}" * 500, "[[[…"),
        ],
    )
    def test_more_than_data_is_refused(self, yaml: str, found: str, spawned: list[str]) -> None:
        start = time.process_time()
        error = refusal({"a.jpg": "", "a.txt": BOX, "data.yaml": NAMES + yaml})
        assert error.code == "data_yaml_not_allowed"
        assert found in error.params["found"]
        assert time.process_time() - start < 2
        assert spawned == []

    @pytest.mark.parametrize("yaml", ["names: [a", "\tnames: x: y", "a: b: c", "\x00", "- a\nb: c"])
    def test_what_is_no_yaml_says_where(self, yaml: str) -> None:
        error = refusal({"a.jpg": "", "a.txt": BOX, "data.yaml": yaml})
        assert error.code == "data_yaml_broken"
        assert error.params["line"] >= 1

    def test_a_yaml_of_megabytes_is_refused(self) -> None:
        error = refusal({"a.jpg": "", "a.txt": BOX, "data.yaml": NAMES + "#" * 10**6})
        assert error.code == "archive_member_too_large"

    @settings(max_examples=300, deadline=2000)
    @given(st.text(st.sampled_from("names: []{}&*!|>-'\"\n 01ab,#%@`\t~"), max_size=60))
    def test_any_text_gives_classes_or_a_clean_error(self, yaml: str) -> None:
        try:
            found = Understood({"a.jpg": "", "a.txt": BOX, "data.yaml": yaml})
        except UserError:
            return
        assert len(found.classes) >= 1


class TestNotUnderstood:
    @pytest.mark.parametrize(
        ("files", "code"),
        [
            ({"README.md": "", "data.yaml": NAMES}, "no_pictures"),
            ({"a.jpg": "", "b.png": ""}, "no_labels"),
            ({"images/a.jpg": "", "labels/b.txt": BOX}, "no_label_fits"),
            ({"a.jpg": "", "a.xml": "<page/>"}, "layout_unknown"),
            ({"train/a.jpg": "", "annotations/instances.json": "{}"}, "layout_unknown"),
            ({"a.jpg": "", "notes.txt": "hello"}, "layout_unknown"),
        ],
    )
    def test_says_what_was_found(self, files: dict[str, str], code: str) -> None:
        error = refusal(files)
        assert error.code == code
        assert "{" not in error.message + error.hint

    def test_the_kinds_of_files_are_named(self) -> None:
        error = refusal({"a.jpg": "", "b.jpg": "", "a.xml": "", "LICENSE": ""})
        assert error.params["found"] == "2 .jpg, 1 .xml, 1 ?"
