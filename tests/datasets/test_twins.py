"""Records of pictures with the same bytes: what they say becomes one."""

import tracemalloc
from collections.abc import Iterable

from datasets.boxes import MAX_BOXES, Box
from datasets.sources.base import LabelState, PictureRecord
from datasets.twins import Twins

STORED = (False, None)


def record(
    *boxes: Box, state: LabelState = LabelState.LABELLED, upright: bool = False
) -> PictureRecord:
    return PictureRecord("a.jpg", "a.jpg", None, state, boxes, upright)


def joined(records: Iterable[PictureRecord]) -> Twins:
    twins = Twins()
    for one in records:
        twins.add(one)
    return twins


def test_equal_boxes_are_taken_once() -> None:
    first, second = Box(0, 0.1, 0.1, 0.2, 0.2), Box(1, 0.1, 0.1, 0.2, 0.2)
    again = Box(0, 0.10000001, 0.1, 0.2, 0.2)
    twins = joined([record(first), record(again, second)])
    assert dict(twins.boxes()) == {STORED: (first, second)}
    assert (twins.keys, twins.left_out) == (["a.jpg", "a.jpg"], 0)


def test_boxes_of_upright_and_of_stored_pictures_are_kept_apart() -> None:
    box = Box(0, 0.1, 0.1, 0.2, 0.2)
    twins = joined([record(box), record(box, upright=True)])
    assert dict(twins.boxes()) == {STORED: (box,), (True, None): (box,)}


def test_one_that_says_nothing_is_in_it_is_enough() -> None:
    unlabelled = record(state=LabelState.UNLABELLED)
    assert not joined([unlabelled]).is_labelled
    assert joined([unlabelled, record(state=LabelState.BACKGROUND), unlabelled]).is_labelled


def test_thousands_of_twins_take_the_memory_of_one() -> None:
    def crowd(number: int) -> PictureRecord:
        side = 0.5 + number / 1000
        return record(*(Box(0, i / 10_000, 0.1, i / 10_000 + 0.1, side) for i in range(2000)))

    tracemalloc.start()
    try:
        twins = joined(crowd(number) for number in range(30))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(dict(twins.boxes())[STORED]) == MAX_BOXES
    assert twins.left_out == 30 * 2000 - MAX_BOXES
    assert most < 8 * 1024 * 1024
