"""Changes classes and mends labels of a version: in a copy, for a version never changes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from datasets import copies, image_problems
from datasets.baselines import renamed
from datasets.boxes import distinct
from datasets.class_edit import ClassChange, ClassMap, class_map
from datasets.copies import Copy, Plan, Rows, copied
from datasets.image_problems import Odd
from datasets.models import DatasetClass, DatasetImage, DatasetVersion
from datasets.problems import Problems
from datasets.repairs import Repair, Repairer
from datasets.split import SplitItem, assign
from jobs.errors import UserError

_SIDES = (DatasetImage.Split.TRAIN, DatasetImage.Split.VAL)


@dataclass(frozen=True)
class Edit:
    """What is to be changed: classes in their new order, and problems that are mended."""

    classes: tuple[ClassChange, ...] = ()
    repairs: tuple[Repair, ...] = ()


def class_names(version: DatasetVersion) -> list[str]:
    """Return the names of the classes in the order of their indexes."""
    rows = DatasetClass.objects.filter(version=version).order_by("index")
    return list(rows.values_list("name", flat=True))


def changes(version: DatasetVersion, edit: Edit) -> bool:
    """Tell whether an edit changes anything.

    Raises:
        UserError: what class_edit.class_map says.
    """
    names = class_names(version)
    return bool(edit.repairs) or class_map(names, edit.classes).changes(names)


@contextmanager
def edited(version: DatasetVersion, edit: Edit) -> Iterator[Copy]:
    """Copy a version with its edit; a copy that is not published in the end is removed.

    Not inside a transaction: what takes long is to be seen by nobody, and yet keep nobody waiting.

    Raises:
        UserError: `version_not_ready`, `dataset_gone`, `edit_leaves_nothing`, or what
            class_edit.class_map says.
    """
    if version.status not in DatasetVersion.WHOLE:
        raise UserError("version_not_ready")
    work = _Work(version, edit)
    with copied(version, work.plan()) as copy:
        yield copy


class _Work:
    """One edit of one version: looks at every image once, then tells what becomes of each."""

    def __init__(self, version: DatasetVersion, edit: Edit) -> None:
        self._version = version
        self._edit = edit
        self._before = class_names(version)
        self._classes: ClassMap = class_map(self._before, edit.classes)
        self._repairer = Repairer(edit.repairs)
        #: What is left of images whose boxes are mended; the others keep theirs.
        self._mended: dict[UUID, Rows] = {}
        #: What the edit itself leaves out: two boxes that became one, where their classes did.
        self._problems = Problems()
        self._odd: dict[UUID, Odd] = {}

    def plan(self) -> Plan:
        """Return what becomes of the version.

        Raises:
            UserError: `edit_leaves_nothing`.
        """
        version, is_anew = self._version, self._repairer.splits_anew
        items = list(self._items(is_anew))
        split = self._split(items, is_anew)
        if not {*split.values()}.issuperset(_SIDES) or not any(item.classes for item in items):
            raise UserError("edit_leaves_nothing")
        return Plan(
            source=copies.EDITED,
            classes=self._classes.names,
            split=split,
            shares=(version.split_ratio, version.split_seed, version.test_ratio),
            boxes=lambda image: self._relabelled(self._mended.get(image.pk, image.boxes))[0],
            odd=lambda image, odd: {
                **self._repairer.left_odd(odd),
                **self._odd.get(image, {}),
            },
            said=self._said(),
        )

    def _items(self, is_anew: bool) -> Iterator[SplitItem]:
        """Yield the pictures that stay, with their classes and where they are."""
        images = DatasetImage.objects.filter(version=self._version).select_related("picture")
        for chunk in images.in_chunks():
            codes = image_problems.codes_of(self._version, [image.pk for image in chunk])
            for image in chunk:
                boxes = self._repairer.mended(image, codes.get(image.pk, {}))
                if boxes is None:
                    continue
                if boxes != image.boxes:
                    self._mended[image.pk] = boxes
                rows, left_out = self._relabelled(boxes)
                self._report(image, left_out)
                classes = frozenset(int(row[0]) for row in rows)
                group = None if image.group is None else str(image.group)
                known = None if is_anew else image.split
                yield SplitItem(image.picture.sha256, classes, group=group, known=known)

    def _split(self, items: Sequence[SplitItem], is_anew: bool) -> dict[str, str]:
        if not is_anew:
            return {item.key: item.known or DatasetImage.Split.TRAIN for item in items}
        version = self._version
        try:
            split = assign(
                items,
                ratio=version.split_ratio,
                test_ratio=version.test_ratio,
                seed=version.split_seed,
                keep=False,
            )
        except ValueError as error:
            raise UserError("edit_leaves_nothing") from error
        if split.is_apart:
            self._problems.add("near_duplicates_apart", count=len(items))
        return split.of

    def _relabelled(self, boxes: Rows) -> tuple[list[list[float]], Counter[str]]:
        """Return boxes with their new classes, and how many were left out by the reason's code."""
        index_of = self._classes.index_of
        rows = ([index_of[int(row[0])], *row[1:]] for row in boxes if int(row[0]) in index_of)
        return distinct(rows)

    def _report(self, image: DatasetImage, left_out: Counter[str]) -> None:
        for code, count in left_out.items():
            self._problems.add(code, image.file_name, count)
        if left_out:
            self._odd[image.pk] = image_problems.plainly(left_out)

    def _said(self) -> dict[str, Any]:
        """Return what the copy says of itself."""
        version = self._version
        mended = {repair.code for repair in self._edit.repairs}
        if self._repairer.splits_anew:
            mended.add("near_duplicates_apart")
        for row in version.warnings:
            if row["code"] not in mended:
                self._problems.add_row(row)
        warnings = self._problems.rows()
        edits = {
            "classes": [
                {"from": self._before[old], "to": self._classes.names[new]}
                for old, new in self._classes.index_of.items()
                if self._before[old] != self._classes.names[new]
            ],
            "dropped": [
                name for old, name in enumerate(self._before) if old not in self._classes.index_of
            ],
            "repairs": [[repair.code, repair.action] for repair in self._edit.repairs],
        }
        said = {"warnings": warnings, "baselines": renamed(version.baselines, self._new_names())}
        if version.status == DatasetVersion.Status.REVIEW:
            # The edit belongs to the import that waits for it.
            layout = {**version.layout, "edits": edits}
            return {**said, "layout": layout, "parent": version.parent}
        layout = {"format": copies.EDITED, "of": str(version.pk), "edits": edits}
        return {**said, "layout": layout}

    def _new_names(self) -> dict[str, str | None]:
        """Return what each class is called now; nothing for one that went or is one with others."""
        index_of = self._classes.index_of
        times = Counter(index_of.values())
        return {
            name: self._classes.names[index_of[old]] if times[index_of.get(old, -1)] == 1 else None
            for old, name in enumerate(self._before)
        }
