"""What every format does, and the files it does it on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from datasets.pictures import PictureRefused, stored_size
from datasets.problems import Problems
from datasets.sources.base import MAX_PICTURE_BYTES, PictureRecord
from jobs.errors import UserError

#: What may be a picture by its name; the bytes decide later.
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".mpo"})
#: Pictures that are left out with a reason, not silently.
OTHER_PICTURE_SUFFIXES = frozenset(
    {".gif", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jp2", ".svg", ".psd", ".dng", ".ico"}
)


class FileTree(Protocol):
    """Files by their paths, wherever they are."""

    @property
    def paths(self) -> Sequence[str]:
        """All files: composed Unicode, `/` between the parts, no leading slash."""

    def size(self, path: str) -> int:
        """Return a file's size in bytes."""

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes.

        Raises:
            UserError: it has more than `limit` bytes, or is damaged.
        """

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes in pieces.

        Raises:
            UserError: it is damaged.
        """


class LabelledPictures(Protocol):
    """A tree of files, understood.

    Attributes:
        layout: what was understood, as plain JSON.
        classes: names in the order of their indexes.
        total: number of pictures.
    """

    layout: Mapping[str, Any]
    classes: tuple[str, ...]
    total: int

    def records(self) -> Iterator[PictureRecord]:
        """Yield the pictures; the key of each is its path."""


#: Understands a tree, or returns nothing where it is not of this format.
Reader = Callable[[FileTree, Problems], LabelledPictures | None]


def suffix_of(path: str) -> str:
    """Return the suffix of a path in small letters, as `.jpg`."""
    name = path.rsplit("/", 1)[-1]
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def is_picture(path: str) -> bool:
    """Tell by its name whether a file may be a picture."""
    return suffix_of(path) in PICTURE_SUFFIXES


def header_size(tree: FileTree, path: str) -> tuple[int, int]:
    """Return width and height of a picture as it is stored; zeros where it does not tell."""
    try:
        return stored_size(tree.read(path, MAX_PICTURE_BYTES))
    except (PictureRefused, UserError):
        return 0, 0


def report_other_pictures(tree: FileTree, problems: Problems) -> None:
    """Note the pictures of formats that are not read."""
    for path in tree.paths:
        if suffix_of(path) in OTHER_PICTURE_SUFFIXES:
            problems.add("picture_format", path)


def decode_text(data: bytes) -> str:
    """Return the text of a file: Unicode by its mark, UTF-8, or what Vietnamese Windows writes."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1258", errors="replace")
