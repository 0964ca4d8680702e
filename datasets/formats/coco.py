"""Reads datasets with COCO files: one or several, a split each, wherever the pictures are."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from datasets import names
from datasets.boxes import MAX_BOXES, Box, rounded
from datasets.formats.base import (
    FileTree,
    LabelledPictures,
    header_size,
    is_picture,
    report_other_pictures,
    suffix_of,
)
from datasets.formats.box_checks import BoxRefused, inside
from datasets.formats.coco_json import CocoBroken, CocoFile, CocoParser, Listed, NotCoco
from datasets.formats.path_ends import PathEnds, path_parts
from datasets.formats.split_names import split_in, split_named, split_of_folders
from datasets.problems import Problems
from datasets.sources.base import LabelState, PictureRecord
from jobs.errors import UserError

#: JSON packs well, and much of it may be something else.
_MOST_BYTES = 1024 * 1024 * 1024
_MOST_FILES = 200
_IMAGE_FOLDERS = ("images", "image", "JPEGImages", "img")


@dataclass
class _Labels:
    """One COCO file of the tree, and which of its images are there."""

    path: str
    content: CocoFile
    split: str | None
    class_of: dict[Any, int]


def understand(tree: FileTree, problems: Problems) -> LabelledPictures | None:
    """Return the pictures of a tree with COCO files, or nothing where there are none.

    Raises:
        UserError: `labels_broken`, `no_label_fits`, `too_many_classes`.
    """
    files, broken = _read_all(tree)
    if not files:
        if broken:
            raise UserError("labels_broken", file=broken[0])
        return None
    for path in broken:
        problems.add("label_file_unreadable", path)
    return CocoDataset(tree, files, problems)


def _read_all(tree: FileTree) -> tuple[dict[str, CocoFile], list[str]]:
    """Return the COCO files of a tree by their paths, and those that are broken."""
    files: dict[str, CocoFile] = {}
    broken: list[str] = []
    left = _MOST_BYTES
    candidates = [path for path in tree.paths if suffix_of(path) == ".json"]
    # Large ones first: tools write thousands of small files of their own.
    for path in sorted(candidates, key=tree.size, reverse=True)[:_MOST_FILES]:
        left -= tree.size(path)
        if left < 0:
            broken.append(path)
            continue
        try:
            files[path] = _read(tree, path)
        except CocoBroken:
            broken.append(path)
        except (NotCoco, UserError):
            continue
    return dict(sorted(files.items())), broken


def _read(tree: FileTree, path: str) -> CocoFile:
    parser = CocoParser()
    for chunk in tree.chunks(path):
        parser.feed(chunk)
    return parser.close()


class CocoDataset:
    """Pictures with COCO labels; a picture that several files name has the boxes of all."""

    layout: Mapping[str, Any]
    classes: tuple[str, ...]
    total: int

    def __init__(self, tree: FileTree, files: Mapping[str, CocoFile], problems: Problems) -> None:
        self._tree = tree
        self._problems = problems
        self._pictures = [path for path in tree.paths if is_picture(path)]
        self.total = len(self._pictures)
        self._labels = [
            _Labels(path, content, _split_of(path), {}) for path, content in files.items()
        ]
        self.classes = self._join_classes()
        self._named = self._find_pictures()
        if self._pictures and not self._named:
            listed = sum(len(labels.content.images) for labels in self._labels)
            raise UserError("no_label_fits", pictures=self.total, labels=listed)
        self.layout = self._describe_layout()
        self._report()

    def records(self) -> Iterator[PictureRecord]:
        """Yield the pictures in the order of the tree."""
        for path in self._pictures:
            with self._problems.watched() as odd:
                record = self._record(path, self._named.get(path, []))
            yield replace(record, problems=frozenset(odd))

    def _record(self, path: str, named: list[tuple[_Labels, Any]]) -> PictureRecord:
        boxes: dict[tuple[float, ...], Box] = {}
        tall = None
        for labels, image_id in named:
            width, height = self._size(path, labels.content.images[image_id])
            tall = height > width if width != height else None
            for box in self._boxes(labels, image_id, width, height):
                if len(boxes) >= MAX_BOXES:
                    self._problems.add("too_many_boxes", path)
                    continue
                boxes.setdefault(rounded(box), box)
        return PictureRecord(
            key=path,
            file_name=names.file_name(path),
            split=self._split(path, named),
            state=_state(named, boxes),
            boxes=tuple(boxes.values()),
            tall=tall,
        )

    def _size(self, path: str, listed: Listed) -> tuple[int, int]:
        if listed.width and listed.height:
            return listed.width, listed.height
        return header_size(self._tree, path)

    def _boxes(self, labels: _Labels, image_id: Any, width: int, height: int) -> Iterator[Box]:
        for category, (x, y, across, down) in labels.content.boxes_of(image_id):
            index = labels.class_of.get(category)
            if index is None:
                self._note("class_out_of_range", labels, image_id)
                continue
            if not width or not height:
                self._note("size_unknown", labels, image_id)
                continue
            box = Box(index, x / width, y / height, (x + across) / width, (y + down) / height)
            try:
                visible, was_clipped = inside(box)
            except BoxRefused as refused:
                self._note(str(refused), labels, image_id)
                continue
            if was_clipped:
                self._note("box_clipped", labels, image_id)
            yield visible

    def _note(self, code: str, labels: _Labels, image_id: Any) -> None:
        listed = labels.content.images[image_id]
        self._problems.add(code, f"{labels.path}: {listed.file_name}")

    def _split(self, path: str, named: list[tuple[_Labels, Any]]) -> str | None:
        given = next((labels.split for labels, _ in named if labels.split), None)
        return given or split_of_folders(path.split("/")[:-1])

    def _join_classes(self) -> tuple[str, ...]:
        """Give each class of each file its index: equal names are one class."""
        raw: dict[tuple[str, int], int] = {}
        for labels in self._labels:
            seen: Counter[str] = Counter()
            for identifier, category in _in_order(_used(labels.content)):
                name = names.printable(category.name)
                seen[name] += 1
                # Two of one name in the same file may well mean different things.
                key = (name, seen[name])
                labels.class_of[identifier] = raw.setdefault(key, len(raw))
        if len(raw) > names.MAX_CLASSES:
            raise UserError("too_many_classes", count=len(raw), limit=names.MAX_CLASSES)
        return names.class_names([name for name, _ in raw], self._problems)

    def _find_pictures(self) -> dict[str, list[tuple[_Labels, Any]]]:
        """Return what names each picture: the file, and the id that it has there."""
        named: dict[str, list[tuple[_Labels, Any]]] = defaultdict(list)
        finder = _Finder(self._pictures)
        for labels in self._labels:
            for identifier, listed in labels.content.images.items():
                if path := finder.find(listed.file_name, labels):
                    named[path].append((labels, identifier))
                else:
                    self._problems.add("picture_not_there", f"{labels.path}: {listed.file_name}")
        return dict(named)

    def _describe_layout(self) -> dict[str, Any]:
        splits = Counter(
            self._split(path, self._named.get(path, [])) or "none" for path in self._pictures
        )
        return {
            "format": "coco",
            "pictures": self.total,
            "labels": len(self._named),
            "splits": dict(splits),
            "classes": len(self.classes),
            "names_from": ", ".join(labels.path for labels in self._labels)[:500],
        }

    def _report(self) -> None:
        for labels in self._labels:
            for code, count in labels.content.left_out.items():
                self._problems.add(code, labels.path, count)
        report_other_pictures(self._tree, self._problems)


class _Finder:
    """Finds the picture that a COCO file means, near the file first."""

    def __init__(self, pictures: list[str]) -> None:
        self._there = frozenset(pictures)
        self._ends = PathEnds(pictures)

    def find(self, file_name: str, labels: _Labels) -> str | None:
        """Return the picture's path, or nothing where none or several may be meant."""
        for name in dict.fromkeys((file_name, unquote(file_name))):
            parts = path_parts(names.composed(name))
            if not parts:
                continue
            home = labels.path.split("/")[:-1]
            for folders in _places(home, labels.split):
                if (path := "/".join([*folders, *parts])) in self._there:
                    return path
            if found := self._ends.only(parts) or self._ends.only(parts[-1:]):
                return found
        return None


def _places(home: list[str], split: str | None) -> Iterator[list[str]]:
    """Yield the folders in which the pictures of a COCO file may lie, the likeliest first."""
    for base in (home, home[:-1]):
        spellings = {"train": ["train"], "val": ["val", "valid"], "test": ["test"]}
        splits = spellings.get(split or "", [])
        for name in splits:
            yield [*base, name]
            for folder in _IMAGE_FOLDERS:
                yield [*base, folder, name]
                yield [*base, name, folder]
        yield base
        for folder in _IMAGE_FOLDERS:
            yield [*base, folder]


def _split_of(path: str) -> str | None:
    """Return the split that the name of a COCO file says, or the folder that it lies in."""
    *folders, name = path.split("/")
    return split_in(name.rsplit(".", 1)[0]) or (split_named(folders[-1]) if folders else None)


def _used(content: CocoFile) -> dict[Any, Any]:
    """Return the categories without the one that some exporters put above all others."""
    above = {category.supercategory for category in content.categories.values()}
    return {
        identifier: category
        for identifier, category in content.categories.items()
        if category.count
        or category.name not in above
        or category.supercategory not in {"", "none"}
        or len(content.categories) == 1
    }


def _in_order(categories: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return sorted(categories.items(), key=lambda item: _order(item[0]))


def _order(identifier: Any) -> tuple[int, float, str]:
    is_number = isinstance(identifier, int | float)
    return (0, identifier, "") if is_number else (1, 0, str(identifier))


def _state(named: list[Any], boxes: Mapping[Any, Box]) -> LabelState:
    if boxes:
        return LabelState.LABELLED
    # Listed without an annotation: somebody looked and found nothing.
    is_empty = named and not any(labels.content.has_boxes(i) for labels, i in named)
    return LabelState.BACKGROUND if is_empty else LabelState.UNLABELLED
