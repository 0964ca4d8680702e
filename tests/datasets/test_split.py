"""The split into training and validation: stratified, repeatable, never empty."""

import random
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.split import SplitItem, TooFew, assign, divide

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
    @given(st.integers(50, 300), st.floats(0.1, 0.5), seeds, seeds)
    def test_the_whole_comes_near_the_ratio_with_many_classes_a_picture(
        self, count: int, ratio: float, seed: int, drawn: int
    ) -> None:
        chance = random.Random(drawn)
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

    @pytest.mark.parametrize("test_ratio", [-0.1, 0.8, 1.0, float("nan")])
    def test_the_shares_leave_something_to_train_on(self, test_ratio: float) -> None:
        with pytest.raises(ValueError, match="ratio"):
            divide(pictures([frozenset()] * 9), ratio=0.2, test_ratio=test_ratio, seed=0)


#: Group and classes of each picture.
in_groups = st.lists(
    st.tuples(st.integers(0, 30), st.frozensets(st.integers(0, 5), max_size=3)),
    min_size=3,
    max_size=80,
)
shares = st.tuples(st.floats(0.05, 0.5), st.sampled_from([0.0, 0.1, 0.25, 0.4]))


def grouped_items(grouped: list[tuple[int, Classes]]) -> list[SplitItem]:
    return [SplitItem(f"{i:03}", found, group=f"{g}") for i, (g, found) in enumerate(grouped)]


class TestGroups:
    """Near-duplicates, with and without a test share."""

    @settings(max_examples=300, deadline=None)
    @given(in_groups, shares, seeds, st.randoms())
    def test_a_group_is_on_one_side_in_any_order_and_no_side_is_empty(
        self,
        grouped: list[tuple[int, Classes]],
        share: tuple[float, float],
        seed: int,
        shuffler: random.Random,
    ) -> None:
        items = grouped_items(grouped)
        if (groups := len({item.group for item in items})) < 2:
            return
        split = divide(items, ratio=share[0], test_ratio=share[1], seed=seed)
        assert len({(item.group, split[item.key]) for item in items}) == groups
        assert {"train", "val"} <= set(split.values())
        # A test set is not worth a class of the others.
        if not share[1]:
            assert "test" not in split.values()
        elif not any(found for _, found in grouped) and groups > 2:
            assert "test" in split.values()
        shuffler.shuffle(items)
        assert divide(items, ratio=share[0], test_ratio=share[1], seed=seed) == split

    @settings(max_examples=300, deadline=None)
    @given(in_groups, shares, seeds)
    def test_a_class_of_two_groups_is_in_validation_unless_training_would_lose_one(
        self, grouped: list[tuple[int, Classes]], share: tuple[float, float], seed: int
    ) -> None:
        items = grouped_items(grouped)
        if len({item.group for item in items}) < 3:
            return
        split = divide(items, ratio=share[0], test_ratio=share[1], seed=seed)
        classes_of: dict[str, set[int]] = {}
        for item in items:
            classes_of.setdefault(item.group or "", set()).update(item.classes)
        side_of = {item.group or "": split[item.key] for item in items}
        groups_in_training = Counter(
            c for g, found in classes_of.items() if side_of[g] == "train" for c in found
        )
        in_validation = {c for g, found in classes_of.items() if side_of[g] == "val" for c in found}
        for missing in set().union(*classes_of.values()) - in_validation:
            for group, found in classes_of.items():
                if missing in found and side_of[group] == "train":
                    assert any(groups_in_training[c] == 1 for c in found)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(120, 400), shares, seeds)
    def test_the_shares_are_near(self, count: int, share: tuple[float, float], seed: int) -> None:
        chance = random.Random(seed)
        items = [
            SplitItem(
                f"{i}",
                frozenset(c for c, w in enumerate((0.8, 0.4, 0.2)) if chance.random() < w),
                group=f"{chance.randrange(count // 2)}" if chance.random() < 0.3 else None,
            )
            for i in range(count)
        ]
        split = divide(items, ratio=share[0], test_ratio=share[1], seed=seed)
        sides = Counter(split.values())
        for side, wanted in (("val", share[0]), ("test", share[1])):
            assert abs(sides[side] - wanted * count) <= 0.04 * count + 3
        common = {item.key for item in items if 0 in item.classes}
        tested = sum(split[key] == "test" for key in common)
        assert abs(tested - share[1] * len(common)) <= 0.04 * len(common) + 3


class TestDecided:
    """Pictures whose side is known, from an earlier version or for the test."""

    def known(self, **counts: int) -> list[SplitItem]:
        return [
            SplitItem(f"{side}{i}", frozenset({i % 2}), known=None if side == "new" else side)
            for side, count in counts.items()
            for i in range(count)
        ]

    def split(self, items: list[SplitItem], **options: float) -> dict[str, str]:
        wanted = {"ratio": 0.2, "seed": 0, "keep": True, **options}
        return assign(items, **wanted).of  # type: ignore[arg-type]

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.frozensets(st.integers(0, 3)),
                st.sampled_from([None, "train", "val", "test"]),
                st.integers(0, 12),
            ),
            min_size=4,
        ),
        shares,
    )
    def test_they_stay_and_their_groups_come_to_them(
        self, rows: list[tuple[Classes, str | None, int]], share: tuple[float, float]
    ) -> None:
        items = [
            SplitItem(f"{i}", found, known=side, group=f"{group}")
            for i, (found, side, group) in enumerate(rows)
        ]
        if not {"train", "val"} <= {item.known for item in items}:
            return
        split = assign(items, ratio=share[0], test_ratio=share[1], seed=0, keep=True).of
        for item in items:
            decided = {other.known for other in items if other.group == item.group} - {None}
            if item.known:
                assert split[item.key] == item.known
            elif len(decided) == 1:
                assert {split[item.key]} == decided

    def test_the_others_make_up_the_ratio(self) -> None:
        items = self.known(train=40, new=60)
        assert Counter(self.split(items).values()) == {"train": 80, "val": 20}
        items = self.known(train=10, val=30, new=60)
        assert Counter(self.split(items).values()) == {"train": 70, "val": 30}

    def test_what_the_test_has_counts_for_its_share(self) -> None:
        items = self.known(test=6, new=94)
        sides = Counter(self.split(items, test_ratio=0.1).values())
        assert sides == {"train": 70, "val": 20, "test": 10}
        items = self.known(test=30, new=70)
        sides = Counter(self.split(items, test_ratio=0.1).values())
        assert sides["test"] == 30

    def test_all_known_for_training_is_divided_nevertheless(self) -> None:
        sides = Counter(self.split(self.known(train=10, test=2)).values())
        assert sides == {"train": 8, "val": 2, "test": 2}

    def test_what_came_for_the_test_goes_before_what_is_known(self) -> None:
        items = [*self.known(train=8, val=2), SplitItem("x", frozenset(), "test", known="train")]
        assert self.split(items)["x"] == "test"
        assert self.split(items, keep=False)["x"] == "train"

    def test_one_group_alone_is_taken_apart(self) -> None:
        items = [SplitItem(f"{i}", frozenset(), group="g") for i in range(10)]
        split = assign(items, ratio=0.2, seed=0, keep=True)
        assert (Counter(split.of.values()), split.is_apart) == ({"train": 8, "val": 2}, True)
        with pytest.raises(TooFew):
            divide(items, ratio=0.2, seed=0)


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
