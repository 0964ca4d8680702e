"""Lays a version out as files for an evaluation: pictures that we verified, labels that we wrote.

A training gets its pictures prepared (training/data_layout.py), with labels from here.

The list of what is written is closed: nothing that came in an archive (caches, side-car files, a
`data.yaml`) reaches the training library, which would run some of it as code.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from datasets.models import DatasetImage, DatasetVersion
from storage.local import stored_chunks

_SPLITS = ("train", "val")


def materialize(
    version: DatasetVersion,
    target: Path,
    *,
    splits: Sequence[str] = _SPLITS,
    on_chunk: Callable[[int], None] = lambda done: None,
) -> list[str]:
    """Write `images/<split>/` and `labels/<split>/` below a new folder.

    Pictures are copied, not linked: the training library may rewrite a picture in place.

    Args:
        version: what is laid out.
        target: the folder.
        splits: which of it.
        on_chunk: told after each few hundred pictures how many there are; may raise to end it.

    Returns:
        The class names in the order of their indexes.
    """
    for split in splits:
        for kind in ("images", "labels"):
            (target / kind / split).mkdir(parents=True, exist_ok=True)
    rows = DatasetImage.objects.filter(version=version, split__in=splits).select_related("picture")
    done = 0
    for chunk in rows.in_chunks():
        for image in chunk:
            _write(image, target)
        done += len(chunk)
        on_chunk(done)
    return class_names(version)


def class_names(version: DatasetVersion) -> list[str]:
    """Return the class names of a version in the order of their indexes."""
    return list(version.classes.order_by("index").values_list("name", flat=True))


def _write(image: DatasetImage, target: Path) -> None:
    picture: Any = image.picture
    stem = f"{image.position:07d}"
    path = target / "images" / image.split / f"{stem}{Path(picture.file.name).suffix}"
    with path.open("wb") as file:
        for chunk in stored_chunks(picture.file.storage, picture.file.name):
            file.write(chunk)
    text = label_text(image.boxes, picture.width, picture.height)
    (target / "labels" / image.split / f"{stem}.txt").write_text(text, encoding="ascii")


def label_text(
    boxes: Iterable[Sequence[float]], width: int, height: int, *, digits: int = 6
) -> str:
    """Return boxes as YOLO writes them: `class x_center y_center width height`, in shares.

    Args:
        boxes: rows [class_index, x1, y1, x2, y2] in pixels.
        digits: of each share after the point.
    """
    lines = []
    for index, x1, y1, x2, y2 in boxes:
        shares = (
            (x1 + x2) / 2 / width,
            (y1 + y2) / 2 / height,
            (x2 - x1) / width,
            (y2 - y1) / height,
        )
        lines.append(f"{int(index)} " + " ".join(f"{value:.{digits}f}" for value in shares))
    return "".join(f"{line}\n" for line in lines)


def data_yaml(names: Sequence[str], *, path: str = ".", splits: Sequence[str] = _SPLITS) -> str:
    """Return a `data.yaml` with exactly path, splits, nc and names, whatever the names hold.

    A JSON string is a YAML string too, so quotes, colons and emoji are safe.
    """
    lines = [f"path: {_quoted(path)}"]
    lines += [f"{split}: images/{split}" for split in splits]
    lines += [f"nc: {len(names)}", "names:"]
    lines += [f"  {index}: {_quoted(name)}" for index, name in enumerate(names)]
    return "\n".join(lines) + "\n"


def mapping_text(names: Sequence[str]) -> str:
    """Return the class map: one `index: name` a line, in the order of the classes."""
    return "".join(f"{index}: {name}\n" for index, name in enumerate(names))


def write_data_yaml(target: Path, names: Sequence[str], *, splits: Sequence[str] = _SPLITS) -> Path:
    """Write the `data.yaml` of a materialised version, and return its path."""
    # The library wants `train` and `val` even where only one split is looked at.
    first = splits[0]
    lines = data_yaml(names, path=str(target.resolve()), splits=splits).splitlines()
    missing = [f"{split}: images/{first}" for split in _SPLITS if split not in splits]
    path = target / "data.yaml"
    path.write_text("\n".join([*lines[:1], *missing, *lines[1:]]) + "\n", encoding="utf-8")
    return path


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
