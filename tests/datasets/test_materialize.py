"""What the trainer is given: files of ours alone, names that no parser takes for anything else."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from datasets.fingerprint import Fingerprint
from datasets.materialize import data_yaml, label_text, mapping_text, materialize, write_data_yaml
from datasets.models import ImageQuerySet
from datasets.names import class_names
from datasets.problems import Problems
from jobs.errors import CancelRequested
from tests.datasets.importing import Bring, labelled_zip

texts = st.lists(st.text(max_size=40), min_size=1, max_size=8)


@given(texts)
def test_any_class_name_survives_yaml(raw: list[str]) -> None:
    names = class_names(raw, Problems())
    read = yaml.safe_load(data_yaml(names))
    assert set(read) == {"path", "train", "val", "nc", "names"}
    assert read["names"] == dict(enumerate(names))
    assert read["nc"] == len(names)


@given(texts)
def test_any_class_name_is_one_line_of_the_mapping(raw: list[str]) -> None:
    names = class_names(raw, Problems())
    lines = mapping_text(names).split("\n")
    assert lines == [*(f"{index}: {name}" for index, name in enumerate(names)), ""]
    assert mapping_text(names).splitlines() == lines[:-1]


def test_labels_are_shares_of_the_sides() -> None:
    assert label_text([[3, 10, 20, 30, 60]], 100, 200) == "3 0.200000 0.200000 0.200000 0.200000\n"
    assert label_text([], 100, 200) == ""


@pytest.mark.django_db(transaction=True)
def test_one_split_alone_can_be_laid_out(bring: Bring, tmp_path: Path) -> None:
    version = bring(labelled_zip(10)).version
    names = materialize(version, tmp_path, splits=("val",))
    path = write_data_yaml(tmp_path, names, splits=("val",))
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert (read["train"], read["val"]) == ("images/val", "images/val")
    assert Path(read["path"]).is_absolute()
    assert len(list(tmp_path.rglob("*.jpg"))) == version.val_images


@pytest.mark.django_db(transaction=True)
def test_it_may_be_ended_on_the_way(
    bring: Bring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, told, real = bring(labelled_zip(10)).version, [], ImageQuerySet.in_chunks
    monkeypatch.setattr(ImageQuerySet, "in_chunks", lambda rows, size=4: real(rows, size))

    def on_chunk(done: int) -> None:
        told.append(done)
        if done == 8:
            raise CancelRequested

    with pytest.raises(CancelRequested):
        materialize(version, tmp_path, on_chunk=on_chunk)
    assert told == [4, 8]
    assert len(list(tmp_path.rglob("*.jpg"))) == 8


@pytest.mark.django_db(transaction=True)
def test_twice_into_one_folder_gives_the_same(bring: Bring, tmp_path: Path) -> None:
    version = bring(labelled_zip(4)).version
    materialize(version, tmp_path)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    materialize(version, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == first


class TestTheFingerprint:
    def of(self, *images: tuple[str, str, list[list[float]]], names: tuple[str, ...]) -> str:
        fingerprint = Fingerprint(names)
        for image in images:
            fingerprint.add(*image)
        return fingerprint.hexdigest()

    def test_heeds_content_and_not_order(self) -> None:
        a, b = ("a", "train", [[0, 1.0, 2, 3, 4], [1, 5, 6, 7, 8]]), ("b", "val", [])
        turned = ("a", "train", [[1, 5, 6, 7, 8], [0, 1.0, 2, 3, 4]])
        names = ("can", "bottle")
        base = self.of(a, b, names=names)
        assert self.of(b, turned, names=names) == base
        others = [
            self.of(a, names=names),
            self.of(a, ("b", "train", []), names=names),
            self.of(a, b, names=("bottle", "can")),
            self.of(("a", "train", [[0, 1.2, 2, 3, 4], [1, 5, 6, 7, 8]]), b, names=names),
            self.of(a, b, b, names=names),
        ]
        assert base not in others
        assert len(set(others)) == len(others)
