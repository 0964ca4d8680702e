"""What a name says about the split: `train`, `valid`, `val2017`, `test_set`."""

import re
from collections.abc import Iterable

_NAMES = {
    "train": re.compile(r"(train|training)(set)?[-_]?(\d{4})?", re.IGNORECASE),
    "val": re.compile(r"(val|valid|validation|eval)(set)?[-_]?(\d{4})?", re.IGNORECASE),
    "test": re.compile(r"(test|testing)(set)?[-_]?(\d{4})?", re.IGNORECASE),
}
_WORDS = re.compile(r"[A-Za-z]+\d*")


def split_named(name: str) -> str | None:
    """Return the split that a whole name says."""
    return next((split for split, pattern in _NAMES.items() if pattern.fullmatch(name)), None)


def split_of_folders(folders: Iterable[str]) -> str | None:
    """Return what the folder nearest to a file says: `train/images` and `images/train` alike."""
    return next(filter(None, map(split_named, reversed(list(folders)))), None)


def split_in(name: str) -> str | None:
    """Return the split that one of the words of a name says, as in `instances_val2017.json`."""
    return next(filter(None, map(split_named, _WORDS.findall(name))), None)
