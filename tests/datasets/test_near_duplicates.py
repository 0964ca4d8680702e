"""Groups of near-duplicates: complete, the same in any order, never endless."""

import random
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.near_duplicates import DISTANCE, near_duplicates

SPREAD = 24
words = st.integers(0, 2**64 - 1)
#: Few words and few flipped bits: many of them are near, or just not.
flips = st.lists(st.sets(st.integers(0, 63), max_size=10), min_size=1, max_size=12)


def flipped(word: int, bits: set[int]) -> int:
    return word ^ sum(1 << bit for bit in bits)


def signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


@settings(max_examples=400, deadline=None)
@given(words, st.sets(st.integers(0, 63), max_size=12))
def test_two_are_near_up_to_the_distance_wherever_the_bits_are(word: int, bits: set[int]) -> None:
    found = near_duplicates({"a": signed(word), "b": signed(flipped(word, bits))})
    assert found == ([["a", "b"]] if len(bits) <= DISTANCE else [])


@settings(max_examples=200, deadline=None)
@given(words, flips)
def test_groups_are_those_of_all_pairs_where_none_reaches_too_far(
    word: int, changes: list[set[int]]
) -> None:
    # All differ in the lowest 20 bits only: no group can reach too far.
    low = [{bit % 20 for bit in bits} for bits in changes]
    hashes = {f"{n:02}": flipped(word, bits) for n, bits in enumerate(low)}
    group = {key: {key} for key in hashes}
    for one, other in combinations(hashes, 2):
        if (hashes[one] ^ hashes[other]).bit_count() <= DISTANCE:
            joined = group[one] | group[other]
            group |= dict.fromkeys(joined, joined)
    wanted = sorted({tuple(sorted(keys)) for keys in group.values() if len(keys) > 1})
    assert near_duplicates(hashes) == [list(keys) for keys in wanted]


@settings(max_examples=200, deadline=None)
@given(words, flips, st.randoms())
def test_the_order_of_the_pictures_plays_no_part(
    word: int, changes: list[set[int]], shuffler: random.Random
) -> None:
    pairs = [(f"{n}", flipped(word, bits)) for n, bits in enumerate(changes)]
    found = near_duplicates(dict(pairs))
    shuffler.shuffle(pairs)
    assert near_duplicates(dict(pairs)) == found


@settings(max_examples=200, deadline=None)
@given(words, st.lists(st.sets(st.integers(0, 63), max_size=8), max_size=40))
def test_no_group_reaches_too_far(word: int, steps: list[set[int]]) -> None:
    chain = [word]
    for bits in steps:
        chain.append(flipped(chain[-1], bits))
    hashes = {f"{n}": value for n, value in enumerate(chain)}
    for keys in near_duplicates(hashes):
        differing = 0
        for key in keys:
            differing |= hashes[key] ^ hashes[keys[0]]
        assert differing.bit_count() <= SPREAD


def test_likeness_is_handed_on() -> None:
    steps = {f"{n}": flipped(0, set(range(7 * n))) for n in range(4)}
    assert near_duplicates(steps) == [["0", "1", "2", "3"]]


def test_a_chain_from_one_picture_to_its_opposite_is_cut() -> None:
    chain = {f"{n:03}": flipped(0, set(range(n))) for n in range(65)}
    found = near_duplicates(chain)
    assert max(map(len, found)) <= SPREAD + 1
    assert sum(map(len, found)) == 65


def test_equal_ones_are_one_group_however_many() -> None:
    assert near_duplicates({f"{n:05}": 7 for n in range(5000)}) == [
        [f"{n:05}" for n in range(5000)]
    ]
    assert near_duplicates({}) == []


def test_a_hundred_thousand_pictures() -> None:
    chance = random.Random(7)
    hashes = {f"{n:06}": chance.getrandbits(64) for n in range(100_000)}
    planted = []
    for number in range(0, 3000, 3):
        keys = [f"{number + offset:06}" for offset in range(3)]
        for key in keys[1:]:
            bits = set(chance.sample(range(64), chance.randint(0, DISTANCE)))
            hashes[key] = flipped(hashes[keys[0]], bits)
        planted.append(keys)
    found = near_duplicates(hashes)
    assert [keys for keys in found if keys[0] < "003000"] == planted
    # Among 5 billion pairs of random words some are near by chance.
    assert len(found) - len(planted) < 20


def test_a_crowd_ends_too() -> None:
    """Thousands of shots by one camera: all alike, each a little different."""
    chance = random.Random(3)
    crowd = {f"{n}": flipped(0, set(chance.sample(range(20), 4))) for n in range(4000)}
    found = near_duplicates(crowd)
    assert len(found) == 1
    assert len(found[0]) == 4000
