"""Which label file belongs to which picture, whatever the folders are called."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from datasets.formats.base import is_picture, suffix_of

_IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img", "jpegimages", "pictures", "photos"})
_LABEL_FOLDERS = frozenset(
    {
        "labels",
        "label",
        "lables",
        "lable",
        "annotations",
        "annotation",
        "txt",
        "txts",
        "xml",
        "xmls",
    }
)
_EITHER = _IMAGE_FOLDERS | _LABEL_FOLDERS
#: Text files that lie among labels and are none.
_OTHER_TEXTS = ("classes.txt", "labels.txt", "names.txt", "train.txt", "val.txt", "valid.txt",
                "validation.txt", "test.txt", "requirements.txt")  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """Pictures with their label files.

    Attributes:
        label_of: the label file of each picture, or nothing; in the order of the tree.
        lone_labels: label files without a picture.
    """

    label_of: dict[str, str | None]
    lone_labels: tuple[str, ...]

    @property
    def paired(self) -> int:
        """How many pictures have a label file."""
        return sum(label is not None for label in self.label_of.values())


def pair(paths: Sequence[str], suffix: str = ".txt") -> Pairs:
    """Find the label file of each picture.

    Two files belong together where their paths are the same but for the suffix and for folders
    called `images`, `labels` and the like, wherever these stand. What is left over goes by a path
    that only differs by case, or by a name, where only one picture wants the label file.
    """
    pictures = [path for path in paths if is_picture(path)]
    texts = [path for path in paths if suffix_of(path) == suffix]
    found: dict[str, str] = {}
    for match in (_by_place, _by_place_in_any_case, _by_name) if pictures and texts else ():
        left = [picture for picture in pictures if picture not in found]
        found |= match(left, set(texts).difference(found.values()))
    label_of = {picture: found.get(picture) for picture in pictures}
    return Pairs(label_of, _lone_labels(texts, set(found.values())))


def is_image_folder(name: str) -> bool:
    """Tell whether a folder's name says that pictures are in it, and nothing more."""
    return name.lower() in _IMAGE_FOLDERS


def _by_place(pictures: Iterable[str], texts: Iterable[str]) -> dict[str, str]:
    texts_at = _at_places(texts)
    return {
        picture: _nearest(picture, texts_at[place])
        for picture in pictures
        if (place := _place(picture)) in texts_at
    }


def _by_place_in_any_case(pictures: Iterable[str], texts: Iterable[str]) -> dict[str, str]:
    """Match what differs only by case; two pictures that do so too may not share a label."""
    texts_at = _at_places(texts, str.lower)
    return {
        wanting[0]: _nearest(wanting[0], texts_at[place])
        for place, wanting in _at_places(pictures, str.lower).items()
        if len(wanting) == 1 and place in texts_at
    }


def _at_places(
    paths: Iterable[str], fold: Callable[[str], str] = lambda place: place
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        found[fold(_place(path))].append(path)
    return dict(found)


def _place(path: str) -> str:
    *folders, name = path.split("/")
    kept = [folder for folder in folders if folder.lower() not in _EITHER]
    return "/".join([*kept, _stem(name)])


def _nearest(picture: str, texts: Iterable[str]) -> str:
    """Return the label in the picture's own folder, before any other."""
    return min(texts, key=lambda text: (_stem(picture) != _stem(text), text))


def _by_name(pictures: Iterable[str], texts: Iterable[str]) -> dict[str, str]:
    pictures_named, texts_named = _unique_names(pictures), _unique_names(texts)
    return {
        picture: texts_named[name]
        for name, picture in pictures_named.items()
        if name in texts_named
    }


def _unique_names(paths: Iterable[str]) -> dict[str, str]:
    named: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        named[_stem(path.rsplit("/", 1)[-1])].append(path)
    return {name: found[0] for name, found in named.items() if len(found) == 1}


def _stem(path: str) -> str:
    return path[: len(path) - len(suffix_of(path))]


def _lone_labels(texts: Iterable[str], used: set[str]) -> tuple[str, ...]:
    """Return unused texts that lie where labels lie."""
    label_folders = {_folder(text) for text in used}
    return tuple(
        text
        for text in texts
        if text not in used
        and not text.lower().endswith(_OTHER_TEXTS)
        and not text.rsplit("/", 1)[-1].lower().startswith("readme")
        and (_folder(text) in label_folders or _is_label_folder(_folder(text)))
    )


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _is_label_folder(folder: str) -> bool:
    return any(part.lower() in _LABEL_FOLDERS for part in folder.split("/"))
