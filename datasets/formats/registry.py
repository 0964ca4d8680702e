"""The formats that can be read. A new one is a module beside this one and a line here."""

from collections import Counter

from datasets.formats import coco, custom_vision, voc, yolo
from datasets.formats.base import FileTree, LabelledPictures, Reader, is_picture, suffix_of
from datasets.problems import Problems
from jobs.errors import UserError

#: In the order in which they are asked.
READERS: dict[str, Reader] = {
    "coco": coco.understand,
    "custom_vision": custom_vision.understand,
    "voc": voc.understand,
    "yolo": yolo.understand,
}
_MOST_KINDS = 8
_LABEL_SUFFIXES = frozenset({".txt", ".json", ".xml", ".csv"})


def understand(tree: FileTree, problems: Problems) -> LabelledPictures:
    """Return the pictures and labels of a tree, read by the first format that knows it.

    Raises:
        UserError: `no_pictures`, `no_labels`, `layout_unknown`, or what the format says.
    """
    refused: UserError | None = None
    for read in READERS.values():
        try:
            if found := read(tree, problems):
                return found
        except UserError as error:
            # Another format may be there beside it, and whole.
            refused = refused or error
    raise refused or _not_understood(tree)


def _not_understood(tree: FileTree) -> UserError:
    kinds = Counter(suffix_of(path) or "?" for path in tree.paths)
    found = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_MOST_KINDS))
    pictures = sum(map(is_picture, tree.paths))
    if not pictures:
        return UserError("no_pictures", found=found or "0")
    if not any(suffix_of(path) in _LABEL_SUFFIXES for path in tree.paths):
        return UserError("no_labels", pictures=pictures)
    return UserError("layout_unknown", found=found)
