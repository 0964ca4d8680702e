"""Groups of pictures that look alike: resized and re-compressed copies, shots of one burst.

Pictures whose perceptual hashes differ in at most 8 of 64 bits are near-duplicates. Measured on
real sets: up to there all resized and re-compressed copies are found, and 9 of 10 that were shifted
or cut by 2 % of a side; of different pictures none of shelves or cells, and 15 pairs of 24,000 of
single objects on an empty ground. Second shots by hand of one shelf lie at 10 to 12 bits and more:
they are missed, for looking that far takes several times as long and takes twice to three times as
many different objects for one.

Who is like whom is found by multi-index hashing (Norouzi and others 2012): of four bands of 16
bits, one differs in at most one bit where the whole differs in up to 7; where it differs in 8, that
or the last band differs in two. So only few buckets have to be looked into.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, combinations

#: Bits in which two near-duplicates differ at most.
DISTANCE = 8
#: Bits in which the members of one group differ from one another at most, all together. Likeness
#: is handed on, for bursts drift; without an end a chain of small steps would lead from any picture
#: to any other, and glue thousands together.
_SPREAD = 24
_BAND = 16
_BANDS = 64 // _BAND
_ALL = 2**64 - 1
#: A bucket takes no more hashes, and who has found as many neighbours looks no further. Both matter
#: only where thousands look alike: these hang together by a few neighbours each as well as by all.
_CROWD = 128
_ENOUGH = 32
#: Hashes between two words of how far it is.
_TOLD = 200


def near_duplicates(
    hashes: Mapping[str, int], tell: Callable[[int], object] = lambda done: None
) -> list[list[str]]:
    """Return groups of two and more pictures, the same whatever the order of the pictures.

    Time grows with the number of pictures, not of pairs; memory takes some hundred bytes a picture.

    Args:
        hashes: perceptual hash of each picture, by its key; those without one stand alone.
        tell: called now and then with the number of hashes that were looked at.

    Returns:
        The keys of each group in order, and the groups in the order of their first key.
    """
    keys: dict[int, list[str]] = defaultdict(list)
    for key, value in hashes.items():
        keys[value & _ALL].append(key)
    clusters = _Clusters()
    for one, other in _closest_first(sorted(keys), tell):
        clusters.join(one, other)
    members: dict[int, list[str]] = defaultdict(list)
    for value, having in keys.items():
        members[clusters.head(value)].extend(having)
    return sorted(sorted(group) for group in members.values() if len(group) > 1)


def _closest_first(hashes: list[int], tell: Callable[[int], object]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of near-duplicates; the surest first, so that a group ends at the least."""
    by_distance = [array("Q") for _ in range(DISTANCE + 1)]
    index = _Index()
    for number, value in enumerate(hashes):
        if number % _TOLD == 0:
            tell(number)
        for other in index.near(value):
            by_distance[(value ^ other).bit_count()].extend((other, value))
        index.add(value)
    for flat in by_distance:
        numbers = iter(flat)
        yield from zip(numbers, numbers, strict=True)


class _Index:
    """Hashes, to be found by what is near them."""

    def __init__(self) -> None:
        single = [1 << bit for bit in range(_BAND)]
        double = [sum(pair) for pair in combinations(single, 2)]
        # The band with the many neighbours comes last: in a crowd the others suffice.
        self._flips = [[0, *single]] * (_BANDS - 1) + [[0, *single, *double]]
        self._bands: list[dict[int, list[int]]] = [{} for _ in range(_BANDS)]

    def near(self, value: int) -> list[int]:
        """Return hashes that differ in at most DISTANCE bits."""
        found: set[int] = set()
        for number, buckets in enumerate(self._bands):
            part = value >> number * _BAND & (1 << _BAND) - 1
            around = filter(None, map(buckets.get, [part ^ flip for flip in self._flips[number]]))
            candidates = chain.from_iterable(around)
            found.update([c for c in candidates if (c ^ value).bit_count() <= DISTANCE])
            if len(found) >= _ENOUGH:
                break
        return sorted(found, key=lambda other: ((other ^ value).bit_count(), other))[:_ENOUGH]

    def add(self, value: int) -> None:
        """Take a hash in."""
        for number, buckets in enumerate(self._bands):
            bucket = buckets.setdefault(value >> number * _BAND & (1 << _BAND) - 1, [])
            if len(bucket) < _CROWD:
                bucket.append(value)


class _Clusters:
    """Hashes that hang together (union-find), as long as they do not lie too far apart."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}
        #: By head: the bits that all members have, and those that none has.
        self._agreed: dict[int, tuple[int, int]] = {}

    def head(self, value: int) -> int:
        """Return the hash that stands for the cluster of a hash."""
        path = []
        while (above := self._above.get(value, value)) != value:
            path.append(value)
            value = above
        for passed in path:
            self._above[passed] = value
        return value

    def join(self, one: int, other: int) -> None:
        """Make two clusters one, unless it would reach too far."""
        one, other = self.head(one), self.head(other)
        if one == other:
            return
        (ones, zeros), (more, less) = self._of(one), self._of(other)
        agreed = ones & more, zeros & less
        if 64 - agreed[0].bit_count() - agreed[1].bit_count() > _SPREAD:
            return
        self._above[other] = one
        self._agreed[one] = agreed

    def _of(self, head: int) -> tuple[int, int]:
        return self._agreed.get(head, (head, head ^ _ALL))
