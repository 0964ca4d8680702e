"""Which pictures are for training, validation or test: by the yaml, by lists, by folder names."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from datasets.formats.base import FileTree, decode_text
from datasets.formats.pairing import is_image_folder
from datasets.formats.path_ends import PathEnds, path_parts
from datasets.formats.split_names import split_of_folders
from datasets.problems import Problems

_KEYS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_LISTS = {
    "train.txt": "train",
    "val.txt": "val",
    "valid.txt": "val",
    "test.txt": "test",
    # As CVAT calls the lists of its subsets.
    "validation.txt": "val",
}
#: Of all lists together: they pack well, so that a small ZIP can hold gigabytes of them.
_MOST_LIST_BYTES = 32 * 1024 * 1024
_LINE = re.compile(r"[^\r\n]+")
_MOST_VALUES = 100
#: Nobody's folders are deeper; all ends of a path take room by the square of its parts.
_MOST_LETTERS = 1000
_MOST_PARTS = 50


class Splits:
    """The split of each picture of a tree."""

    def __init__(self, tree: FileTree, pictures: Sequence[str], problems: Problems) -> None:
        self._tree = tree
        self._pictures = pictures
        self._problems = problems
        self._by_folder: dict[str, str] = {}
        self._by_picture: dict[str, str] = {}
        self._lists_read: set[str] = set()
        self._list_bytes_left = _MOST_LIST_BYTES

    # Each is made once, and only where somebody asks for it: there may be a hundred thousand paths.
    @cached_property
    def _files(self) -> frozenset[str]:
        return frozenset(self._tree.paths)

    @cached_property
    def _folders(self) -> set[str]:
        return _folders_of(self._pictures)

    @cached_property
    def _folder_ends(self) -> PathEnds:
        return PathEnds(self._folders)

    @cached_property
    def _picture_ends(self) -> PathEnds:
        return PathEnds(self._pictures)

    def declare(self, yaml: Mapping[str, Any], yaml_path: str) -> None:
        """Take over what a `data.yaml` says; its paths are hints, for they are often wrong."""
        base = path_parts(yaml_path)[:-1]
        root = path_parts(_text(yaml.get("path"))[:_MOST_LETTERS])
        found: dict[str, set[str]] = defaultdict(set)
        for key, split in _KEYS.items():
            for value in _values(yaml.get(key)):
                is_there = _is_path(value) and self._declare_one(value, split, base, root, found)
                if not is_there:
                    self._problems.add("split_folder_missing", f"{split}: {value[:200]}")
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
    ) -> bool:
        """Take over one path; False where nothing is there."""
        wanted = path_parts(value)
        if value.lower().endswith(".txt"):
            if path := self._find_list(wanted, base):
                self._read_list(path, split)
            return path is not None
        if (folder := self._find_folder(wanted, base, root)) is not None:
            found[folder].add(split)
        return folder is not None

    def _find_folder(self, wanted: list[str], base: list[str], root: list[str]) -> str | None:
        """Return the folder that a path means: as written, or the longest end that is there."""
        ends = [wanted[i:] for i in range(len(wanted)) if i == 0 or not _is_general(wanted[i:])]
        candidates = [[*base, *root, *wanted], *([*base, *end] for end in ends), *ends]
        for candidate in candidates:
            if (folder := "/".join(candidate)) in self._folders:
                return folder
        return next(filter(None, map(self._folder_ends.only, filter(None, ends))), None)

    def _find_list(self, wanted: list[str], base: list[str]) -> str | None:
        for i in range(len(wanted)):
            for candidate in ([*base, *wanted[i:]], wanted[i:]):
                if "/".join(candidate) in self._files:
                    return "/".join(candidate)
        return None

    def read_lists(self, labels: Collection[str]) -> None:
        """Take over `train.txt`, `val.txt` and the like, where they name pictures of this tree.

        Args:
            labels: files that are labels, of a picture called `train.jpg`.
        """
        for path in self._tree.paths:
            split = _LISTS.get(path.rsplit("/", 1)[-1].lower())
            if split and self._tree.size(path) and path not in labels:
                self._read_list(path, split)

    def _read_list(self, path: str, split: str) -> None:
        """Take over a list of pictures, one a line; once, however often it is named."""
        if path in self._lists_read:
            return
        self._lists_read.add(path)
        data = self._tree.read(path, self._list_bytes_left)
        self._list_bytes_left -= len(data)
        for line in _LINE.finditer(decode_text(data)):
            wanted = path_parts(line[0].strip())
            if wanted and (picture := self._picture_ends.nearest(wanted)):
                self._by_picture.setdefault(picture, split)

    def of(self, picture: str) -> str | None:
        """Return the split of a picture, if anything says one."""
        if picture in self._by_picture:
            return self._by_picture[picture]
        folders = picture.split("/")[:-1]
        for length in range(len(folders), -1, -1):
            if split := self._by_folder.get("/".join(folders[:length])):
                return split
        return split_of_folders(folders)


def _folders_of(pictures: Iterable[str]) -> set[str]:
    folders = {""}
    for folder in {picture.rpartition("/")[0] for picture in pictures}:
        parts = folder.split("/")
        folders.update("/".join(parts[:length]) for length in range(1, len(parts) + 1))
    return folders


def _values(value: Any) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    yield from (item for item in values[:_MOST_VALUES] if isinstance(item, str) and item.strip())


def _is_path(value: str) -> bool:
    return len(value) <= _MOST_LETTERS and len(path_parts(value)) <= _MOST_PARTS


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_general(parts: Sequence[str]) -> bool:
    """Tell whether a path says only that there are pictures: nearly every folder ends with it."""
    return all(is_image_folder(part) for part in parts)
