"""Names of ZIP entries: decoded as well as their bytes allow, refused where they point outside."""

import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence

from storage.errors import StorageError

_UTF8_FLAG = 0x800
_MOST_LETTERS = 1000
_DRIVE = re.compile(r"[A-Za-z]:")
_SYSTEM_FOLDERS = frozenset({"__macosx", "@eadir", ".git", ".ipynb_checkpoints"})
_SYSTEM_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")


def decode_names(entries: Sequence[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield the name of each entry in Unicode, as its writer meant it.

    ZIP knows UTF-8 (by a flag) and code page 437; many programs write UTF-8 or GBK without a flag.
    One encoding is chosen for all names without it, so that a label still finds its picture.
    """
    encoding = _encoding([_raw(entry) for entry in entries if _is_doubtful(entry)])
    for entry in entries:
        is_doubtful = _is_doubtful(entry)
        yield _raw(entry).decode(encoding) if is_doubtful else entry.orig_filename


def _is_doubtful(entry: zipfile.ZipInfo) -> bool:
    return not entry.flag_bits & _UTF8_FLAG and not entry.orig_filename.isascii()


def _raw(entry: zipfile.ZipInfo) -> bytes:
    return entry.orig_filename.encode("cp437")


def _encoding(names: Sequence[bytes]) -> str:
    if all(_decodes(name, "utf-8") for name in names):
        return "utf-8"
    # GBK decodes much European text too, as rare characters; the common ones (GB 2312) do not.
    common = sum(_decodes(name, "gb2312") for name in names)
    if common * 2 >= len(names) and all(_decodes(name, "gbk") for name in names):
        return "gbk"
    return "cp437"


def _decodes(name: bytes, encoding: str) -> bool:
    try:
        name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def safe_path(name: str) -> str:
    """Return an entry's path as composed Unicode with `/` between its parts.

    Windows programs write `\\` for `/`; `./a` and `a//b` are harmless. The folder `./`, which
    `zip -r a.zip ./` writes, is the archive itself: its path is empty. What no honest program
    writes is refused, and the archive with it: a part of it could not be trusted either.

    Raises:
        StorageError: `archive_unsafe_name`.
    """
    path = unicodedata.normalize("NFC", name).replace("\\", "/")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    unsafe = (
        path.startswith("/")
        or _DRIVE.match(path)
        or ".." in parts
        or "\0" in name
        or len(name) > _MOST_LETTERS
        or not (parts or path.endswith("/"))
    )
    if unsafe:
        raise StorageError("archive_unsafe_name", name=printable(name)[:100])
    return "/".join(parts)


def printable(name: str) -> str:
    """Return a name without control, direction or other unseen characters."""
    return "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in name)


def is_system_file(path: str) -> bool:
    """Tell whether an operating system left this behind, as `__MACOSX/._a.jpg` or `.DS_Store`."""
    *folders, name = path.lower().split("/")
    return name in _SYSTEM_FILES or name.startswith("._") or not _SYSTEM_FOLDERS.isdisjoint(folders)


def is_archive(path: str) -> bool:
    """Tell by its name whether an entry is an archive itself; these are never opened."""
    return path.lower().endswith(_ARCHIVES)
