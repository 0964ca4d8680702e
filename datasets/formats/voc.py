"""Reads datasets with Pascal VOC files: one XML a picture, splits in `ImageSets/Main`.

The format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf, section 9.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from datasets import names
from datasets.boxes import MAX_BOXES, Box, rounded
from datasets.formats.base import (
    FileTree,
    LabelledPictures,
    decode_text,
    header_size,
    report_other_pictures,
)
from datasets.formats.box_checks import BoxRefused, inside
from datasets.formats.pairing import Pairs, pair
from datasets.formats.path_ends import PathEnds, path_parts
from datasets.formats.split_names import split_named, split_of_folders
from datasets.formats.voc_xml import Annotation, VocBroken, parse
from datasets.problems import Problems
from datasets.sources.base import LabelState, PictureRecord
from jobs.errors import UserError

MAX_BYTES = 2 * 1024 * 1024
_CLASS_LISTS = ("classes.txt", "labelmap.txt")
_MOST_LIST_BYTES = 16 * 1024 * 1024
_SUFFIX = ".xml"


def understand(tree: FileTree, problems: Problems) -> LabelledPictures | None:
    """Return the pictures of a tree with VOC files, or nothing where there are none.

    Raises:
        UserError: `no_label_fits`, `too_many_classes`.
    """
    pairs = pair(tree.paths, _SUFFIX)
    files = {path for path in pairs.label_of.values() if path}
    if not any(_annotation(tree, path) for path in [*sorted(files), *pairs.lone_labels][:20]):
        return None
    pairs = _by_their_file_names(tree, pairs)
    if not pairs.paired:
        raise UserError(
            "no_label_fits", pictures=len(pairs.label_of), labels=len(pairs.lone_labels)
        )
    return VocDataset(tree, pairs, problems)


def _by_their_file_names(tree: FileTree, pairs: Pairs) -> Pairs:
    """Give pictures without a label the file that names them in its text."""
    free = [picture for picture, label in pairs.label_of.items() if label is None]
    ends, found = PathEnds(free), dict(pairs.label_of)
    lone = []
    for path in pairs.lone_labels if free else ():
        annotation = _annotation(tree, path)
        parts = path_parts(names.composed(annotation.file_name)) if annotation else []
        picture = ends.only(parts) if parts else None
        if picture and found[picture] is None:
            found[picture] = path
        else:
            lone.append(path)
    return Pairs(found, tuple(lone) if free else pairs.lone_labels)


def _annotation(tree: FileTree, path: str) -> Annotation | None:
    try:
        return parse(tree.read(path, MAX_BYTES))
    except (VocBroken, UserError):
        return None


class VocDataset:
    """Pictures with VOC labels; label files are read when their turn comes."""

    layout: Mapping[str, Any]
    classes: tuple[str, ...]
    total: int

    def __init__(self, tree: FileTree, pairs: Pairs, problems: Problems) -> None:
        self._tree = tree
        self._pairs = pairs
        self._problems = problems
        self.total = len(pairs.label_of)
        raw = self._class_names()
        self._index = {name: index for index, name in enumerate(raw)}
        self.classes = names.class_names(raw, problems)
        self._splits = _read_lists(tree, pairs)
        self.layout = self._describe_layout()
        for path in pairs.lone_labels:
            problems.add("label_without_picture", path)
        report_other_pictures(tree, problems)

    def records(self) -> Iterator[PictureRecord]:
        """Yield the pictures in the order of the tree."""
        for path, label in self._pairs.label_of.items():
            with self._problems.watched() as odd:
                annotation = _annotation(self._tree, label) if label else None
                if label and annotation is None:
                    self._problems.add("label_file_unreadable", label)
                record = self._record(path, label or "", annotation)
            yield replace(record, problems=frozenset(odd))

    def _record(self, path: str, label: str, annotation: Annotation | None) -> PictureRecord:
        boxes, tall = self._boxes(path, label, annotation)
        state = LabelState.LABELLED if boxes else LabelState.UNLABELLED
        if annotation is not None and not annotation.objects:
            state = LabelState.BACKGROUND
        if annotation is not None and annotation.objects and not boxes:
            self._problems.add("no_label_usable", label)
        return PictureRecord(
            key=path,
            file_name=names.file_name(path),
            split=self._split(path),
            state=state,
            boxes=boxes,
            tall=tall,
        )

    def _boxes(
        self, path: str, label: str, annotation: Annotation | None
    ) -> tuple[tuple[Box, ...], bool | None]:
        """Return the boxes of a picture, and whether it is higher than wide for its labels."""
        if annotation is None or not annotation.objects:
            return (), None
        width, height = annotation.width, annotation.height
        if not width or not height:
            width, height = header_size(self._tree, path)
        found: dict[tuple[float, ...], Box] = {}
        for item in annotation.objects:
            if len(found) >= MAX_BOXES:
                self._problems.add("too_many_boxes", label)
            elif item.code and not item.corners:
                self._problems.add(item.code, label)
            elif not width or not height:
                self._problems.add("size_unknown", label)
            else:
                self._add(found, item, label, width, height)
        return tuple(found.values()), height > width if width != height else None

    def _add(
        self, found: dict[tuple[float, ...], Box], item: Any, label: str, width: int, height: int
    ) -> None:
        x1, y1, x2, y2 = item.corners
        index = self._index[names.printable(item.name)]
        try:
            box, was_clipped = inside(Box(index, x1 / width, y1 / height, x2 / width, y2 / height))
        except BoxRefused as refused:
            self._problems.add(str(refused), label)
            return
        if rounded(box) in found:
            self._problems.add("label_twice", label)
        found.setdefault(rounded(box), box)
        for code in filter(None, ("box_clipped" if was_clipped else "", item.code)):
            self._problems.add(code, label)

    def _class_names(self) -> list[str]:
        """Return the names in the labels: in the order of a list that has them all, else sorted."""
        used: set[str] = set()
        for label in filter(None, self._pairs.label_of.values()):
            if annotation := _annotation(self._tree, label):
                used.update(names.printable(item.name) for item in annotation.objects)
            if len(used) > names.MAX_CLASSES:
                raise UserError("too_many_classes", count=len(used), limit=names.MAX_CLASSES)
        listed = next(filter(None, map(self._listed, self._tree.paths)), [])
        return listed if used <= set(listed) else sorted(used)

    def _listed(self, path: str) -> list[str]:
        """Return the names of a list of classes, as this portal or CVAT writes it."""
        if path.rsplit("/", 1)[-1].lower() not in _CLASS_LISTS:
            return []
        try:
            lines = decode_text(self._tree.read(path, MAX_BYTES)).splitlines()
        except UserError:
            return []
        if path.lower().endswith("labelmap.txt"):
            # `name:colour:parts:actions` under a comment; what is not drawn is called background.
            lines = [line.split(":")[0] for line in lines if not line.startswith("#")]
            lines = [line for line in lines if line != "background"]
        found = list(dict.fromkeys(filter(None, map(names.printable, lines))))
        return found if len(found) <= names.MAX_CLASSES else []

    def _split(self, path: str) -> str | None:
        return self._splits.get(path) or split_of_folders(path.split("/")[:-1])

    def _describe_layout(self) -> dict[str, Any]:
        splits = Counter(self._split(path) or "none" for path in self._pairs.label_of)
        return {
            "format": "voc",
            "pictures": self.total,
            "labels": self._pairs.paired,
            "splits": dict(splits),
            "classes": len(self.classes),
            "names_from": "",
        }


def _read_lists(tree: FileTree, pairs: Pairs) -> dict[str, str]:
    """Return the split of pictures by the lists in `ImageSets/Main`: a name a line, no suffix."""
    splits: dict[str, str] = {}
    ends = PathEnds(path.rsplit(".", 1)[0] for path in pairs.label_of)
    by_stem = {path.rsplit(".", 1)[0]: path for path in pairs.label_of}
    left = _MOST_LIST_BYTES
    for path in tree.paths:
        stem, _, suffix = path.rsplit("/", 1)[-1].rpartition(".")
        split = split_named(stem) if suffix.lower() == "txt" else None
        if not split or tree.size(path) > left:
            continue
        left -= tree.size(path)
        for line in decode_text(tree.read(path, left + tree.size(path))).splitlines():
            parts = path_parts(line.split("\t")[0].strip())
            found = _listed_picture(parts, ends, by_stem)
            if found:
                splits.setdefault(found, split)
    return splits


def _listed_picture(parts: list[str], ends: PathEnds, by_stem: Mapping[str, str]) -> str | None:
    for wanted in (parts, [*parts[:-1], parts[-1].rsplit(".", 1)[0]] if parts else []):
        if wanted and (stem := ends.only(wanted)):
            return by_stem[stem]
    return None
