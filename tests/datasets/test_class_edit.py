"""What becomes of classes: any order, any names, and nothing of it by accident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.class_edit import ClassChange, alike, class_map
from jobs.errors import UserError

_BEFORE = ["lon", "chai", "Lon", "hộp"]


def test_renamed_merged_dropped_and_moved() -> None:
    changes = [
        ClassChange(3, "hộp giấy"),
        ClassChange(0, "lon"),
        ClassChange(2, " lon "),
        ClassChange(1, "chai", drop=True),
    ]
    found = class_map(_BEFORE, changes)
    assert found.names == ("hộp giấy", "lon")
    assert found.index_of == {3: 0, 0: 1, 2: 1}
    assert found.changes(_BEFORE)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ([(0, "a"), (1, "b"), (2, "c")], "classes_not_all_named"),
        ([(0, "a"), (1, "b"), (2, "c"), (2, "d")], "classes_not_all_named"),
        ([(0, "a"), (1, "b"), (2, "c"), (-1, "d")], "classes_not_all_named"),
        ([(0, "a"), (1, "b"), (2, "c"), (3, " \u200b")], "class_without_name"),
    ],
)
def test_what_cannot_be_is_refused(changes: list[tuple[int, str]], code: str) -> None:
    with pytest.raises(UserError) as raised:
        class_map(_BEFORE, [ClassChange(*change) for change in changes])
    assert raised.value.code == code


def test_one_class_has_to_stay() -> None:
    with pytest.raises(UserError) as raised:
        class_map(["lon"], [ClassChange(0, "lon", drop=True)])
    assert raised.value.code == "no_class_left"


@given(st.permutations(range(5)), st.lists(st.sampled_from("abc"), min_size=5, max_size=5))
def test_every_class_that_stays_has_one_place(order: list[int], names: list[str]) -> None:
    before = [f"class {index}" for index in range(5)]
    found = class_map(before, [ClassChange(index, names[index]) for index in order])
    assert sorted(found.index_of) == list(range(5))
    assert sorted(set(found.index_of.values())) == list(range(len(found.names)))
    assert all(found.names[found.index_of[index]] == names[index] for index in range(5))


def test_without_changes_all_stays() -> None:
    assert not class_map(_BEFORE, []).changes(_BEFORE)
    same = [ClassChange(index, name) for index, name in enumerate(_BEFORE)]
    assert not class_map(_BEFORE, same).changes(_BEFORE)


def test_names_that_may_be_meant_alike() -> None:
    assert alike(["Lon Bia", "chai", "lon_bia", "LON-BIA", "hộp"]) == {2: "Lon Bia", 3: "Lon Bia"}
