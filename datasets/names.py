"""Names from outside made fit to be shown: composed Unicode, nothing unseen, not too long."""

import unicodedata
from collections.abc import Sequence

from datasets.problems import Problems

MAX_CLASSES = 2000
LONGEST_CLASS = 100
_LONGEST_FILE = 255


def composed(text: str) -> str:
    """Return text as composed Unicode, as the paths of an archive are."""
    return unicodedata.normalize("NFC", text)


def printable(text: str) -> str:
    """Return text as composed Unicode without control and direction characters, trimmed."""
    seen = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in composed(text))
    return " ".join(seen.split())


def file_name(path: str) -> str:
    """Return the last part of a path, cut in the middle of its stem where it is too long."""
    name = printable(path.rsplit("/", 1)[-1]) or "_"
    if len(name) <= _LONGEST_FILE:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > 10:
        return name[:_LONGEST_FILE]
    return f"{stem[: _LONGEST_FILE - len(suffix) - 1]}.{suffix}"


def class_names(raw: Sequence[str], problems: Problems) -> tuple[str, ...]:
    """Return class names that are fit to be shown and all different; indexes stay as they are.

    A class without a name is called by its index. A name that came before gets a number: the two
    may well mean different things. Names that differ only by case stay, and are reported.
    """
    names: list[str] = []
    taken: set[str] = set()
    for index, given in enumerate(raw):
        name = printable(given)[:LONGEST_CLASS].strip() or f"class_{index}"
        unique = _numbered(name, taken)
        if unique != composed(given).strip():
            problems.add("class_renamed", f"{index}: {unique}")
        taken.add(unique)
        names.append(unique)
    _report_case(names, problems)
    return tuple(names)


def _numbered(name: str, taken: set[str]) -> str:
    unique, number = name, 1
    while unique in taken:
        number += 1
        end = f" ({number})"
        unique = name[: LONGEST_CLASS - len(end)] + end
    return unique


def _report_case(names: Sequence[str], problems: Problems) -> None:
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            problems.add("class_names_by_case", f"{other} / {name}")
