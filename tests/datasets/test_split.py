"""The split into training and validation: stratified, repeatable, never empty."""

import random
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.split import SplitItem, assign, divide

Classes = frozenset[int]


def pictures(classes: list[Classes], **more: object) -> list[SplitItem]:
    return [SplitItem(f"picture {i}", found, **more) for i, found in enumerate(classes)]


many = st.lists(st.frozensets(st.integers(0, 6), max_size=4), min_size=2, max_size=60)
ratios = st.floats(0.05, 0.95)
seeds = st.integers(0, 2**31 - 1)


class TestDivide:
    @settings(max_examples=300, deadline=None)
    @given(many, ratios, seeds)
    def test_every_picture_is_on_one_side_and_no_side_is_empty(
        self, classes: list[Classes], ratio: float, seed: int
    ) -> None:
        items = pictures(classes)
        split = divide(items, ratio=ratio, seed=seed)
        assert set(split) == {item.key for item in items}
        assert set(split.values()) == {"train", "val"}

    @settings(max_examples=300, deadline=None)
    @given(many, ratios, seeds, st.randoms())
    def test_the_order_of_the_pictures_plays_no_part(
        self, classes: list[Classes], ratio: float, seed: int, shuffler: random.Random
    ) -> None:
        items = pictures(classes)
        shuffled = list(items)
        shuffler.shuffle(shuffled)
        assert divide(items, ratio=ratio, seed=seed) == divide(shuffled, ratio=ratio, seed=seed)

    @settings(max_examples=300, deadline=None)
    @given(many, ratios, seeds)
    def test_a_class_is_missing_from_validation_only_where_training_would_lose_one(
        self, classes: list[Classes], ratio: float, seed: int
    ) -> None:
        split = divide(pictures(classes), ratio=ratio, seed=seed)
        sides = [split[f"picture {i}"] for i in range(len(classes))]
        in_training = Counter(
            c for i, found in enumerate(classes) if sides[i] == "train" for c in found
        )
        in_validation = {c for i, found in enumerate(classes) if sides[i] == "val" for c in found}
        for missing in set().union(*classes) - in_validation:
            for i, found in enumerate(classes):
                if missing in found and sides[i] == "train":
                    assert any(in_training[c] == 1 for c in found)

    @settings(max_examples=300, deadline=None)
    @given(many, ratios, seeds)
    def test_no_class_is_missing_from_training_while_validation_has_pictures_to_spare(
        self, classes: list[Classes], ratio: float, seed: int
    ) -> None:
        split = divide(pictures(classes), ratio=ratio, seed=seed)
        sides = [split[f"picture {i}"] for i in range(len(classes))]
        in_training = {c for i, found in enumerate(classes) if sides[i] == "train" for c in found}
        if set().union(*classes) - in_training:
            assert sides.count("val") == 1

    @settings(max_examples=100, deadline=None)
    @given(st.integers(10, 300), ratios, seeds, st.integers(1, 5))
    def test_every_class_is_divided_by_the_ratio(
        self, count: int, ratio: float, seed: int, kinds: int
    ) -> None:
        items = pictures([frozenset({i % kinds}) for i in range(count)])
        split = divide(items, ratio=ratio, seed=seed)
        for kind in range(kinds):
            having = [item.key for item in items if kind in item.classes]
            in_validation = sum(split[key] == "val" for key in having)
            assert abs(in_validation - ratio * len(having)) <= 1

    @settings(max_examples=40, deadline=None)
    @given(st.integers(50, 300), st.floats(0.1, 0.5), seeds, st.randoms())
    def test_the_whole_comes_near_the_ratio_with_many_classes_a_picture(
        self, count: int, ratio: float, seed: int, chance: random.Random
    ) -> None:
        weights = [0.9, 0.5, 0.3, 0.1, 0.05, 0.02]
        items = pictures(
            [
                frozenset(c for c, w in enumerate(weights) if chance.random() < w)
                for _ in range(count)
            ]
        )
        split = divide(items, ratio=ratio, seed=seed)
        in_validation = sum(side == "val" for side in split.values())
        assert abs(in_validation - ratio * count) <= 0.03 * count + 3

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 5), st.frozensets(st.integers(0, 3))), min_size=2), seeds
    )
    def test_a_group_stays_on_one_side(self, grouped: list[tuple[int, Classes]], seed: int) -> None:
        items = [SplitItem(f"{i}", c, group=f"{g}") for i, (g, c) in enumerate(grouped)]
        if len({item.group for item in items}) < 2:
            with pytest.raises(ValueError, match="two groups"):
                divide(items, ratio=0.2, seed=seed)
            return
        split = divide(items, ratio=0.2, seed=seed)
        sides = {(item.group, split[item.key]) for item in items}
        assert len(sides) == len({item.group for item in items})

    def test_a_class_that_one_picture_has_is_trained_on(self) -> None:
        items = pictures([frozenset({0}), frozenset({0, 1}), frozenset({2})])
        split = divide(items, ratio=0.75, seed=0)
        assert split == {"picture 0": "val", "picture 1": "train", "picture 2": "train"}

    def test_another_seed_is_another_split(self) -> None:
        items = pictures([frozenset({0})] * 100)
        assert divide(items, ratio=0.2, seed=1) != divide(items, ratio=0.2, seed=2)

    def test_a_rare_class_reaches_validation(self) -> None:
        items = pictures([frozenset({0})] * 500 + [frozenset({0, 1})] * 3)
        split = divide(items, ratio=0.1, seed=0)
        assert any(split[item.key] == "val" for item in items if 1 in item.classes)

    def test_thirty_thousand_pictures_take_seconds(self) -> None:
        chance = random.Random(1)
        items = pictures(
            [frozenset(chance.choices(range(80), k=chance.randint(0, 6))) for _ in range(30_000)]
        )
        start = time.process_time()
        divide(items, ratio=0.2, seed=0)
        assert time.process_time() - start < 6

    @pytest.mark.parametrize("ratio", [0.0, 1.0, -0.1, 1.5])
    def test_a_ratio_leaves_something_on_both_sides(self, ratio: float) -> None:
        with pytest.raises(ValueError, match="ratio"):
            divide(pictures([frozenset()] * 3), ratio=ratio, seed=0)


class TestAssign:
    def items(self, **counts: int) -> list[SplitItem]:
        return [
            SplitItem(f"{given}{i}", frozenset({0}), given=None if given == "none" else given)
            for given, count in counts.items()
            for i in range(count)
        ]

    def counts(self, items: list[SplitItem], *, keep: bool = True) -> tuple[dict[str, int], bool]:
        split = assign(items, ratio=0.25, seed=0, keep=keep)
        return dict(Counter(split.of.values())), split.made_here

    def test_splits_that_came_along_are_kept(self) -> None:
        items = self.items(train=5, val=3, test=2)
        assert self.counts(items) == ({"train": 5, "val": 3, "test": 2}, False)

    def test_they_are_not_where_that_is_wished(self) -> None:
        items = self.items(train=5, val=3, test=4)
        assert self.counts(items, keep=False) == ({"train": 9, "val": 3}, True)

    def test_training_without_validation_is_divided(self) -> None:
        assert self.counts(self.items(train=8, test=2)) == ({"train": 6, "val": 2, "test": 2}, True)

    def test_validation_without_training_is_divided(self) -> None:
        assert self.counts(self.items(val=8)) == ({"train": 6, "val": 2}, True)

    def test_a_test_set_alone_is_divided(self) -> None:
        assert self.counts(self.items(test=8)) == ({"train": 6, "val": 2}, True)

    def test_what_has_no_split_goes_to_training(self) -> None:
        assert self.counts(self.items(train=2, val=2, none=4)) == ({"train": 6, "val": 2}, False)
        assert self.counts(self.items(val=2, none=4)) == ({"train": 4, "val": 2}, False)

    def test_one_picture_cannot_be_divided(self) -> None:
        with pytest.raises(ValueError, match="two groups"):
            assign(self.items(train=1), ratio=0.2, seed=0, keep=True)
