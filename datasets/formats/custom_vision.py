"""Reads ZIPs with pictures of Custom Vision and the JSON that its API says of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from datasets import names
from datasets.formats.base import (
    FileTree,
    LabelledPictures,
    is_picture,
    report_other_pictures,
    suffix_of,
)
from datasets.formats.custom_vision_json import Dump, DumpedImage, read
from datasets.formats.json_items import JsonBroken
from datasets.formats.path_ends import PathEnds, path_parts
from datasets.formats.split_names import split_of_folders
from datasets.problems import Problems
from datasets.sources.base import LabelState, PictureRecord
from datasets.sources.custom_vision.labels import Labels
from datasets.sources.custom_vision.remote import RemoteTag
from jobs.errors import UserError

#: JSON packs well, and much of it may be something else.
_MOST_BYTES = 1024 * 1024 * 1024
#: Written beside a model that Custom Vision exports.
_MODEL_MANIFEST = "cvexport.manifest"
_NEGATIVE = "Negative"


def understand(tree: FileTree, problems: Problems) -> LabelledPictures | None:
    """Return the pictures of a dump of Custom Vision, or nothing where there is none.

    Raises:
        UserError: `model_not_pictures`, `no_label_fits`, `too_many_classes`.
    """
    if any(path.rsplit("/", 1)[-1].lower() == _MODEL_MANIFEST for path in tree.paths):
        raise UserError("model_not_pictures")
    dump, files, broken = Dump(), [], []
    left = _MOST_BYTES
    for path in tree.paths:
        if suffix_of(path) != ".json" or (left := left - tree.size(path)) < 0:
            continue
        before = len(dump.images), len(dump.tags)
        try:
            read(tree.chunks(path), dump)
        except (JsonBroken, UserError):
            broken.append(path)
        if before != (len(dump.images), len(dump.tags)):
            files.append(path)
    if not dump.is_custom_vision:
        return None
    if dump.is_too_large:
        raise UserError("labels_broken", file=files[0])
    for path in broken:
        problems.add("label_file_unreadable", path)
    return CustomVisionDump(tree, dump, files, problems)


class CustomVisionDump:
    """Pictures with the labels of a dump."""

    layout: Mapping[str, Any]
    classes: tuple[str, ...]
    total: int

    def __init__(self, tree: FileTree, dump: Dump, files: list[str], problems: Problems) -> None:
        self._problems = problems
        self._pictures = [path for path in tree.paths if is_picture(path)]
        self.total = len(self._pictures)
        self._labels = Labels([_with_kind(tag) for tag in dump.all_tags()], problems)
        given = self._labels.class_names
        if len(given) > names.MAX_CLASSES:
            raise UserError("too_many_classes", count=len(given), limit=names.MAX_CLASSES)
        self.classes = names.class_names(given, problems)
        self._image_of = self._find_pictures(dump)
        if self._pictures and not self._image_of:
            raise UserError("no_label_fits", pictures=self.total, labels=len(dump.images))
        self.layout = {
            "format": "custom_vision_files",
            "pictures": self.total,
            "labels": len(self._image_of),
            "splits": {},
            "classes": len(self.classes),
            "names_from": ", ".join(files)[:500],
        }
        report_other_pictures(tree, problems)

    def records(self) -> Iterator[PictureRecord]:
        """Yield the pictures in the order of the tree."""
        for path in self._pictures:
            with self._problems.watched() as odd:
                record = self._record(path, self._image_of.get(path))
            yield replace(record, problems=frozenset(odd))

    def _record(self, path: str, dumped: DumpedImage | None) -> PictureRecord:
        record = PictureRecord(
            key=path,
            file_name=names.file_name(path),
            split=split_of_folders(path.split("/")[:-1]),
            state=LabelState.UNLABELLED,
            boxes=(),
            turn_unknown=True,
        )
        if dumped is None or not dumped.is_tagged:
            return record
        image = dumped.image
        state, boxes = self._labels.read(image, is_tagged=True)
        tall = None if image.width == image.height else image.height > image.width
        return replace(record, state=state, boxes=boxes, tall=tall)

    def _find_pictures(self, dump: Dump) -> dict[str, DumpedImage]:
        """Return what is said of each picture."""
        found: dict[str, DumpedImage] = {}
        whole, stems = PathEnds(self._pictures), _stems(self._pictures)
        ends = PathEnds(stems)
        for dumped in dump.images:
            paths = (_find(name, whole, ends, stems) for name in dumped.names)
            path = next(filter(None, paths), None)
            if path:
                found.setdefault(path, dumped)
            else:
                self._problems.add("picture_not_there", dumped.names[0])
        return found


def _stems(pictures: list[str]) -> dict[str, str]:
    """Return pictures by their paths without suffix, where that means only one."""
    stems: dict[str, str] = {}
    for path in pictures:
        stem = path[: len(path) - len(suffix_of(path))]
        stems[stem] = "" if stem in stems else path
    return {stem: path for stem, path in stems.items() if path}


def _find(name: str, whole: PathEnds, ends: PathEnds, stems: Mapping[str, str]) -> str | None:
    """Return the picture that a name means: with its folders or without, with its suffix or not."""
    parts = path_parts(names.composed(name))
    for wanted in (parts, parts[-1:]) if parts else ():
        if path := whole.only(wanted):
            return path
        if stem := ends.only(wanted):
            return stems[stem]
    return None


def _with_kind(tag: RemoteTag) -> RemoteTag:
    """Return a tag whose kind may have been told by its name alone."""
    is_negative = not tag.kind and tag.name.casefold() == _NEGATIVE.casefold()
    return replace(tag, kind=_NEGATIVE) if is_negative else tag
