"""The data of a training: a folder with nothing in it but prepared pictures and labels of ours."""

import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from training.messages import Data
from training.pixels import SUFFIX
from training.trainer_failures import Failure

_PICTURES = frozenset({SUFFIX})
_LABELS = frozenset({".txt"})


def check_folder(root: Path) -> None:
    """Refuse a folder with anything that the library would read and we did not write.

    A `.cache` beside the labels is a pickle, a `.npy` replaces its picture.

    Raises:
        Failure: `data_error`: a folder is missing, or holds something foreign, or no picture.
    """
    for split in ("train", "val"):
        if not _count(root / "images" / split, _PICTURES):
            raise Failure("data_error", f"There are no pictures in the set {split}.")
        _count(root / "labels" / split, _LABELS)
    for kind in ("images", "labels"):
        for entry in _entries(root / kind):
            if entry.name not in {"train", "val"} or not entry.is_dir():
                raise Failure("data_error", f"{entry.name} does not belong into {kind}.")


def _count(folder: Path, suffixes: frozenset[str]) -> int:
    number = 0
    for entry in _entries(folder):
        if os.path.splitext(entry.name)[1].lower() not in suffixes or not entry.is_file():  # noqa: PTH122  fast
            raise Failure("data_error", f"{entry.name} does not belong into {folder.name}.")
        number += 1
    return number


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise Failure("data_error", f"The folder {folder.name} is missing.") from error


def write_data_yaml(data: Data, target: Path) -> Path:
    """Write the description of the data: exactly path, train, val, nc and names, all ours.

    Returns:
        The file, in pure ASCII: the library drops what it thinks cannot be printed.
    """
    content = {
        "path": data.root,
        "train": "images/train",
        "val": "images/val",
        "nc": len(data.names),
        "names": data.names,
    }
    target.write_text(yaml.safe_dump(content, sort_keys=False), encoding="ascii")
    return target
