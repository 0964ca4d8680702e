"""Which pictures are for training, validation or test: by the yaml, by lists, by folder names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from datasets.formats.base import FileTree, decode_text
from datasets.formats.yolo_files import is_image_folder
from datasets.problems import Problems

_KEYS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_FOLDER_NAMES = {
    "train": re.compile(r"(train|training)(set)?[-_]?(\d{4})?", re.IGNORECASE),
    "val": re.compile(r"(val|valid|validation|eval)(set)?[-_]?(\d{4})?", re.IGNORECASE),
    "test": re.compile(r"(test|testing)(set)?[-_]?(\d{4})?", re.IGNORECASE),
}
_LISTS = {"train.txt": "train", "val.txt": "val", "valid.txt": "val", "test.txt": "test"}
_LONGEST_LIST = 64 * 1024 * 1024
_MOST_VALUES = 100


class Splits:
    """The split of each picture of a tree."""

    def __init__(self, tree: FileTree, pictures: Sequence[str], problems: Problems) -> None:
        self._tree = tree
        self._pictures = pictures
        self._problems = problems
        self._folders = _folders_of(pictures)
        self._by_folder: dict[str, str] = {}
        self._by_picture: dict[str, str] = {}

    def declare(self, yaml: Mapping[str, Any], yaml_path: str) -> None:
        """Take over what a `data.yaml` says; its paths are hints, for they are often wrong."""
        base = _parts(yaml_path)[:-1]
        root = _parts(_text(yaml.get("path", "")))
        found: dict[str, set[str]] = defaultdict(set)
        for key, split in _KEYS.items():
            for value in _values(yaml.get(key)):
                self._declare_one(value, split, base, root, found)
        for folder, splits in found.items():
            if len(splits) == 1:
                self._by_folder[folder] = next(iter(splits))
            else:
                self._problems.add("splits_share_folder", folder or ".")

    def _declare_one(
        self,
        value: str,
        split: str,
        base: list[str],
        root: list[str],
        found: dict[str, set[str]],
    ) -> None:
        if value.lower().endswith(".txt"):
            if path := self._find_list(value, base):
                self.read_list(path, split)
                return
        elif (folder := self._find_folder(value, base, root)) is not None:
            found[folder].add(split)
            return
        self._problems.add("split_folder_missing", f"{split}: {value[:200]}")

    def _find_folder(self, value: str, base: list[str], root: list[str]) -> str | None:
        """Return the folder that a path means: as written, or the longest end that is there."""
        wanted = _parts(value)
        ends = [wanted[i:] for i in range(len(wanted)) if i == 0 or not _is_general(wanted[i:])]
        candidates = [[*base, *root, *wanted], *([*base, *end] for end in ends), *ends]
        for candidate in candidates:
            if (folder := "/".join(candidate)) in self._folders:
                return folder
        for end in ends:
            matching = [f for f in self._folders if f.endswith("/" + "/".join(end))]
            if len(matching) == 1 and end:
                return matching[0]
        return None

    def _find_list(self, value: str, base: list[str]) -> str | None:
        wanted, there = _parts(value), set(self._tree.paths)
        for i in range(len(wanted)):
            for candidate in ([*base, *wanted[i:]], wanted[i:]):
                if "/".join(candidate) in there:
                    return "/".join(candidate)
        return None

    def read_lists(self) -> None:
        """Take over `train.txt`, `val.txt` and the like, where they name pictures of this tree."""
        for path in self._tree.paths:
            split = _LISTS.get(path.rsplit("/", 1)[-1].lower())
            if split and self._tree.size(path):
                self.read_list(path, split)

    def read_list(self, path: str, split: str) -> None:
        """Take over a list of pictures, one a line."""
        named: dict[str, list[str]] = defaultdict(list)
        for picture in self._pictures:
            named[picture.rsplit("/", 1)[-1]].append(picture)
        for line in decode_text(self._tree.read(path, _LONGEST_LIST)).splitlines():
            wanted = _parts(line.strip())
            if wanted and (candidates := named.get(wanted[-1])):
                best = max(candidates, key=lambda picture: _common_end(_parts(picture), wanted))
                self._by_picture.setdefault(best, split)

    def of(self, picture: str) -> str | None:
        """Return the split of a picture, if anything says one."""
        if picture in self._by_picture:
            return self._by_picture[picture]
        folders = picture.split("/")[:-1]
        for length in range(len(folders), -1, -1):
            if split := self._by_folder.get("/".join(folders[:length])):
                return split
        return _named_split(folders)


def _named_split(folders: Sequence[str]) -> str | None:
    """Return what the folder nearest to the file says: `train/images` and `images/train` alike."""
    for folder in reversed(folders):
        for split, pattern in _FOLDER_NAMES.items():
            if pattern.fullmatch(folder):
                return split
    return None


def _folders_of(pictures: Iterable[str]) -> set[str]:
    folders = {""}
    for folder in {picture.rpartition("/")[0] for picture in pictures}:
        parts = folder.split("/")
        folders.update("/".join(parts[:length]) for length in range(1, len(parts) + 1))
    return folders


def _parts(path: str) -> list[str]:
    """Return the parts of a path of any system; leading `..`, roots and drives say nothing here."""
    parts: list[str] = []
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in {"", "."} and not part.endswith(":"):
            parts.append(part)
    return parts


def _values(value: Any) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    yield from (item for item in values[:_MOST_VALUES] if isinstance(item, str) and item.strip())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_general(parts: Sequence[str]) -> bool:
    """Tell whether a path says only that there are pictures: nearly every folder ends with it."""
    return all(is_image_folder(part) for part in parts)


def _common_end(first: Sequence[str], second: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other:
            break
        count += 1
    return count
