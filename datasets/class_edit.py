"""What becomes of the classes of a version: renamed, merged, dropped, in another order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datasets.names import LONGEST_CLASS, printable
from jobs.errors import UserError


@dataclass(frozen=True)
class ClassChange:
    """What becomes of one class.

    Attributes:
        index: of the class as it is.
        name: its new name; two classes of one name become one class.
        drop: its boxes go, its pictures stay.
    """

    index: int
    name: str
    drop: bool = False


@dataclass(frozen=True)
class ClassMap:
    """The classes afterwards.

    Attributes:
        names: in the order of their new indexes.
        index_of: the new index of each old one; a class that is dropped is not in it.
    """

    names: tuple[str, ...]
    index_of: Mapping[int, int]

    def changes(self, before: Sequence[str]) -> bool:
        """Tell whether anything is different from classes as they are."""
        return self.names != tuple(before) or self.index_of != {i: i for i in range(len(before))}


def class_map(before: Sequence[str], changes: Sequence[ClassChange]) -> ClassMap:
    """Return the classes after changes, in the order of the changes; without any, as they are.

    Args:
        before: names in the order of their indexes.
        changes: one for each class, in the new order. Classes that become one stand where the first
            of them does.

    Raises:
        UserError: `classes_not_all_named`, `class_without_name`, or `no_class_left`.
    """
    if not changes:
        return ClassMap(tuple(before), {index: index for index in range(len(before))})
    if sorted(change.index for change in changes) != list(range(len(before))):
        raise UserError("classes_not_all_named", count=len(before))
    places: dict[str, int] = {}
    index_of: dict[int, int] = {}
    for change in changes:
        if change.drop:
            continue
        name = printable(change.name)[:LONGEST_CLASS].strip()
        if not name:
            raise UserError("class_without_name", name=before[change.index])
        index_of[change.index] = places.setdefault(name, len(places))
    if not places:
        raise UserError("no_class_left")
    return ClassMap(tuple(places), index_of)


def alike(names: Sequence[str]) -> dict[int, str]:
    """Return the classes that may be meant to be one: by index the name of the one before.

    Their names differ by case, spaces, dashes and underscores alone.
    """
    first: dict[str, str] = {}
    found = {}
    for index, name in enumerate(names):
        plain = "".join(c for c in name.casefold() if c not in " -_.")
        other = first.setdefault(plain, name)
        if other != name:
            found[index] = other
    return found
