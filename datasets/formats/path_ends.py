"""Finds paths by how they end, in the time of a look-up, however many there are."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence


class PathEnds:
    """Paths in the order of their last parts: those that end alike lie side by side."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._whole = frozenset(paths)
        self._paths = sorted((_turned(path.split("/")), path) for path in self._whole)

    def nearest(self, parts: Sequence[str]) -> str | None:
        """Return the path that shares the longest end with `parts`, the last part at least.

        Of several the one that is nothing but this end, else any; always the same.
        """
        wanted = _turned(parts)
        place = bisect_left(self._paths, (wanted,))
        # What shares most with a text stands next to it in a sorted list.
        around = self._paths[max(0, place - 1) : place + 1]
        shared, path = max(((_shared(wanted, turned), path) for turned, path in around),
                           default=(0, ""))  # fmt: skip
        if not shared:
            return None
        end = "/".join(parts[-shared:])
        return end if end in self._whole else path

    def only(self, parts: Sequence[str]) -> str | None:
        """Return the path that ends with `parts`, where there is exactly one."""
        wanted = _turned(parts)
        place = bisect_left(self._paths, (wanted,))
        following = self._paths[place : place + 2]
        ending = [path for turned, path in following if turned.startswith(wanted)]
        return ending[0] if len(ending) == 1 else None


def path_parts(path: str) -> list[str]:
    """Return the parts of a path of any system; leading `..`, roots and drives say nothing here."""
    parts: list[str] = []
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in {"", "."} and not part.endswith(":"):
            parts.append(part)
    return parts


def _turned(parts: Sequence[str]) -> str:
    return "/".join(reversed(parts)) + "/"


def _shared(one: str, other: str) -> int:
    """Return how many whole parts two turned paths have in common."""
    count = 0
    for part, same in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if part != same:
            break
        count += 1
    return count
