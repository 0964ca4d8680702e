"""Reads datasets in the YOLO layout, as tidy or untidy as people have them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datasets import names
from datasets.formats.base import (
    FileTree,
    LabelledPictures,
    decode_text,
    report_other_pictures,
)
from datasets.formats.pairing import Pairs, pair
from datasets.formats.yolo_labels import MAX_BYTES, Labels, parse_labels
from datasets.formats.yolo_names import Description, describe
from datasets.formats.yolo_splits import Splits
from datasets.problems import Problems
from datasets.sources.base import LabelState, PictureRecord
from jobs.errors import UserError


def understand(tree: FileTree, problems: Problems) -> LabelledPictures | None:
    """Return the pictures of a tree with YOLO labels, or nothing where there are none.

    Raises:
        UserError: it is YOLO, but cannot be used: `no_label_fits`, or what
            yolo_names.describe says.
    """
    pairs = pair(tree.paths)
    if not pairs.paired and not (pairs.lone_labels and pairs.label_of):
        return None
    if not pairs.paired:
        raise UserError(
            "no_label_fits", pictures=len(pairs.label_of), labels=len(pairs.lone_labels)
        )
    return YoloDataset(tree, pairs, describe(tree, problems), problems)


@dataclass(frozen=True, slots=True)
class _Read:
    state: LabelState
    labels: Labels


class YoloDataset:
    """Pictures with YOLO labels; label files are read when their turn comes."""

    layout: Mapping[str, Any]
    classes: tuple[str, ...]
    total: int

    def __init__(
        self, tree: FileTree, pairs: Pairs, description: Description, problems: Problems
    ) -> None:
        self._tree = tree
        self._pairs = pairs
        self._problems = problems
        self._has_keypoints = description.has_keypoints
        self._splits = _splits(tree, pairs, description, problems)
        self.total = len(pairs.label_of)
        self.classes = description.names or self._count_classes()
        self.layout = self._describe_layout(description)
        self._report_files()

    def records(self) -> Iterator[PictureRecord]:
        """Yield the pictures in the order of the tree."""
        for path, label in self._pairs.label_of.items():
            with self._problems.watched() as odd:
                read = self._read(label)
            yield PictureRecord(
                key=path,
                file_name=names.file_name(path),
                split=self._splits.of(path),
                state=read.state,
                boxes=read.labels.boxes,
                problems=frozenset(odd),
            )

    def _read(self, path: str | None) -> _Read:
        if path is None:
            return _Read(LabelState.UNLABELLED, Labels())
        labels = self._parse(path, classes=len(self.classes))
        if labels is None:
            self._problems.add("label_file_unreadable", path)
            return _Read(LabelState.UNLABELLED, Labels())
        for code, count in labels.problems.items():
            self._problems.add(code, f"{path}:{labels.first_lines[code]}", count)
        if labels.boxes:
            return _Read(LabelState.LABELLED, labels)
        if labels.lines:
            self._problems.add("no_label_usable", path)
        state = LabelState.UNLABELLED if labels.lines else LabelState.BACKGROUND
        return _Read(state, labels)

    def _parse(self, path: str, *, classes: int) -> Labels | None:
        try:
            text = decode_text(self._tree.read(path, MAX_BYTES))
        except UserError:
            return None
        return parse_labels(text, classes=classes, has_keypoints=self._has_keypoints)

    def _count_classes(self) -> tuple[str, ...]:
        """Return made-up names up to the highest index that a label has."""
        highest = -1
        for path in filter(None, self._pairs.label_of.values()):
            labels = self._parse(path, classes=names.MAX_CLASSES) or Labels()
            highest = max([highest, *(box.class_index for box in labels.boxes)])
        if highest >= 0:
            self._problems.add("classes_without_names", count=highest + 1)
        return names.class_names([""] * (highest + 1), Problems())

    def _describe_layout(self, description: Description) -> dict[str, Any]:
        splits = Counter(self._splits.of(path) or "none" for path in self._pairs.label_of)
        return {
            "format": "yolo",
            "pictures": self.total,
            "labels": self._pairs.paired,
            "splits": dict(splits),
            "classes": len(self.classes),
            "names_from": description.names_from,
        }

    def _report_files(self) -> None:
        for path in self._pairs.lone_labels:
            self._problems.add("label_without_picture", path)
        report_other_pictures(self._tree, self._problems)


def _splits(tree: FileTree, pairs: Pairs, description: Description, problems: Problems) -> Splits:
    splits = Splits(tree, tuple(pairs.label_of), problems)
    splits.declare(description.yaml, description.yaml_path)
    splits.read_lists(frozenset(filter(None, pairs.label_of.values())))
    return splits
